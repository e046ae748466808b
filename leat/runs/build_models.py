"""The part of a refresh that concerns models: they are read, built and checked, and what stays old is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.load.results import CheckResult, RebuiltRows
from leat.warehouse.session import Session, Warehouse

if TYPE_CHECKING:
    from leat.assets.build import ModelResult
    from leat.catalog.describe import Described

Accept = Callable[[Sequence[CheckResult]], None]
"""Called with the checks that failed, before what they are about is committed in spite of them."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be brought up to date, and how.

    Attributes:
        warehouse: where.
        described: what is declared.
        missing: the models whose files have mistakes, and why.
        fingerprint: of all that is declared.
        good_runs: when each integration was last read to the end.
        stale: the tables that are older than declared, and why.
        accept: makes failed checks count for nothing, after it was called with them.
        now: the time of the run, UTC.
        always: whether checks and rules run even if nothing is missing.
        whole: whether all rows of all models are built, changed or not.
    """

    warehouse: Warehouse
    described: Described
    missing: Mapping[str, str]
    fingerprint: str
    good_runs: Mapping[str, datetime]
    stale: Mapping[str, str]
    accept: Accept | None
    now: datetime
    always: bool
    whole: bool = False


def read_described(project: Project, declarations: Mapping[str, Declaration]) -> tuple[Described, dict[str, str]]:
    """Return what is declared, and the models whose files have mistakes, with why."""
    from leat.assets.lineage import personal_columns  # sqlglot is imported only when something is new
    from leat.assets.model_files import read_models
    from leat.catalog.describe import Described
    from leat.quality.rule_files import read_rules

    models, missing = read_models(project, declarations, cache=True)
    rules = read_rules(project, declarations, (*(model.name for model in models), *missing), cache=True)
    lineages = {model.name: model.lineage for model in models}
    described = Described(project, declarations, models, rules, lineages, personal_columns(models, declarations))
    return described, missing


def build_models(
    session: Session, work: Work, broken: Mapping[str, str], untried: Mapping[str, str]
) -> tuple[list[ModelResult], tuple[CheckResult, ...]]:
    """Build the models, check them, and describe all tables; the transaction is the caller's to commit.

    Args:
        session: an open transaction.
        work: what is to be done.
        broken: models that failed in an earlier attempt, and why.
        untried: tables whose checks cost an earlier attempt its transaction, and why.

    Raises:
        ModelError: the database refused a model.
        TransactionLost: a check cost the transaction.
    """
    from leat.assets.build import build
    from leat.catalog.describe import describe
    from leat.quality.audit import audit_models
    from leat.quality.checks import model_checks

    declared = work.described
    rebuilt = dict[str, RebuiltRows]()
    built = build(session, declared.models, work.now, broken, whole=work.whole, rebuilt=rebuilt)
    present = {result.name for result in built if result.status in ("built", "unchanged")}
    tables = [
        model_checks(m.name, m.checks, declared.personal[m.name])
        for m in declared.models
        if m.checks and m.name in present
    ]
    unchanged = () if work.always else {result.name for result in built if result.status == "unchanged"}
    touched = {} if work.always else rebuilt
    checked = audit_models(session, tables, declared.declarations, unchanged, untried, touched)
    describe(session, declared, work.good_runs)
    return built, checked


def stale_tables(work: Work, built: Sequence[ModelResult]) -> dict[str, str]:
    """Return the tables that are older than declared, or than what they are made of, and why."""
    from leat.pipelines.declare.table_names import ANALYTICS

    stale = dict(work.stale)
    stays = {model.name: model.reason for model in built if model.stays}
    stale |= {f"{ANALYTICS}.{name}": "it couldn't be built" for name in work.missing}
    for model in work.described.models:  # inputs come before those that read them
        old = [str(table) for table in model.inputs if str(table) in stale and str(table) not in model.optional]
        if model.name in stays:
            stale[f"{ANALYTICS}.{model.name}"] = "it couldn't be built"
        elif old:
            stale[f"{ANALYTICS}.{model.name}"] = f"{old[0]}, {stale[old[0]]}"
    return stale
