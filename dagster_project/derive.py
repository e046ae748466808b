"""What follows a load, for the command line and Dagster: models are rebuilt, their checks and the rules are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipelines import state
from pipelines.catalog import declared_mark
from pipelines.declaration import Declaration
from pipelines.derived import files_fingerprint, is_derived, mark_derived
from pipelines.freshness import stale_streams
from pipelines.project import Project
from pipelines.results import CheckResult
from warehouse.session import Warehouse

if TYPE_CHECKING:
    from assets.build import ModelResult


@dataclass(frozen=True, slots=True)
class Derived:
    """What was rebuilt, and what the checks of models and the rules found."""

    models: tuple[ModelResult, ...]
    checks: tuple[CheckResult, ...]

    @property
    def blocks(self) -> bool:
        """Whether a check of severity error failed."""
        return any(check.blocks for check in self.checks)


def derive(
    project: Project,
    warehouse: Warehouse,
    declarations: Mapping[str, Declaration],
    good_runs: Mapping[str, datetime] = MappingProxyType({}),
    *,
    always: bool = False,
) -> Derived | None:
    """Bring models, their checks and the violations up to date; returns None when they are.

    A kill between its transactions costs nothing: what is missing is done by the next run. With ``always``, checks and
    rules run even if nothing is missing. ``good_runs`` tells when each integration was last read to the end; rules
    that read what is stale are skipped.

    Raises:
        DeclarationError: a model or a rule has a mistake.
        ModelError: the database refused a model.
    """
    folders = (project.folder / "assets" / "models", project.folder / "quality" / "rules")
    files = files_fingerprint(path for folder in folders for path in folder.glob("*.sql"))
    fingerprint = f"{files} {declared_mark(declarations)}"
    now = datetime.now(UTC)
    with warehouse.snapshot() as session:
        if (not always or not state.exists(session)) and is_derived(session, fingerprint, now):
            return None
    stale = {f"{name}.{stream}": text for (name, stream), text in stale_streams(declarations, good_runs, now).items()}
    return _derive(project, warehouse, declarations, good_runs, fingerprint, stale, now)


def _derive(
    project: Project,
    warehouse: Warehouse,
    declarations: Mapping[str, Declaration],
    good_runs: Mapping[str, datetime],
    fingerprint: str,
    stale: dict[str, str],
    now: datetime,
) -> Derived:
    from assets.build import build  # sqlglot and Great Expectations are imported only when something is new
    from assets.lineage import column_lineage, personal_columns
    from assets.model_files import load_models
    from dagster_project.catalog import Described, describe
    from pipelines.sql_file import ANALYTICS
    from quality.audit import audit_models
    from quality.checks import model_checks
    from quality.rule_files import load_rules
    from quality.rules import check_rules

    models = load_models(project, declarations)
    rules = load_rules(project, declarations, tuple(model.name for model in models))
    lineages = {model.name: column_lineage(model) for model in models}
    personal = personal_columns(models, declarations, lineages)
    with warehouse.transaction() as session:
        built = build(session, models, now)
        present = {result.name for result in built if result.status != "skipped"}
        tables = [model_checks(m.name, m.checks, personal[m.name]) for m in models if m.checks and m.name in present]
        checked = audit_models(session, tables, declarations)
        describe(session, Described(project, declarations, models, rules, lineages, personal), good_runs)
    for model in models:  # inputs come before those that read them
        old = [str(table) for table in model.inputs if str(table) in stale and str(table) not in model.optional]
        if old:
            stale[f"{ANALYTICS}.{model.name}"] = f"{old[0]}, {stale[old[0]]}"
    ruled = check_rules(warehouse, rules, declarations, now, stale)
    derived = Derived(tuple(built), (*checked, *ruled))
    if not derived.blocks:  # else the next run looks again, and publishes when it is mended
        with warehouse.transaction() as session:
            mark_derived(session, fingerprint, now)
    return derived
