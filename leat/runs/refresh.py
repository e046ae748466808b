"""What follows a load, for the command line and Dagster: models are rebuilt, their checks and the rules are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from leat.catalog.store import declared_mark
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.load import state
from leat.pipelines.load.freshness import stale_streams
from leat.pipelines.load.results import CheckResult
from leat.pipelines.load.verdict import note_verdict, version_of
from leat.pipelines.load.watermark import files_fingerprint, is_refreshed, mark_refreshed
from leat.pipelines.load.writing import refreshing
from leat.runs.build_models import Accept, Work, build_models, read_described, stale_tables
from leat.warehouse.savepoint import Savepoint, savepoint
from leat.warehouse.session import Overlapped, Session, Warehouse

if TYPE_CHECKING:
    from leat.assets.build import ModelResult

_LEDGER = ("violations", "rules")
_Outcomes = Mapping[str, Sequence[tuple[Any, ...]]]
_OVERLAPS = 5
"""So often a refresh begins again that another transaction was in the way of."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was rebuilt, and the outcomes of the checks of models and of the rules.

    ``accepted`` says that somebody wants it in spite of failed checks.
    """

    models: tuple[ModelResult, ...]
    checks: tuple[CheckResult, ...]
    accepted: bool = False

    @property
    def blocks(self) -> bool:
        """Whether a check of severity error failed, and that counts."""
        return not self.accepted and any(check.blocks for check in self.checks)

    @property
    def errors(self) -> tuple[str, ...]:
        """Why models couldn't be built."""
        return tuple(model.reason for model in self.models if model.status == "failed")


class _Moved(Exception):
    """Another process has written to the warehouse meanwhile."""


class _RuleLost(Exception):
    """A rule has cost the transaction in which the models were built."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule
        self.why = why


class _Withheld(Exception):
    """What was built is undone, because a check of severity error failed; what checks and rules said isn't lost."""

    def __init__(self, refreshed: Refreshed, outcomes: _Outcomes) -> None:
        super().__init__("withheld")
        self.refreshed = refreshed
        self.outcomes = outcomes


def refresh(
    project: Project,
    warehouse: Warehouse,
    declarations: Mapping[str, Declaration],
    good_runs: Mapping[str, datetime] = MappingProxyType({}),
    *,
    always: bool = False,
    whole: bool = False,
    accept: Accept | None = None,
) -> Refreshed | None:
    """Bring models, their checks and the violations up to date; returns None when they are.

    A model that the database refuses stays as it was built last, with those that read it; all others are rebuilt. When
    a check of severity error fails, all models stay as they were on Postgres; on DuckDB the caller must not publish. A
    kill between the transactions costs nothing: what is missing is done by the next run.

    Args:
        project: the project.
        warehouse: its warehouse.
        declarations: its integrations.
        good_runs: when each was last read to the end; rules that read what is stale are skipped.
        always: whether checks and rules run even if nothing is missing.
        whole: whether all rows of all models are built, changed or not.
        accept: makes failed checks count for nothing, after it was called with them.

    Raises:
        DeclarationError: models have mistakes that belong to no single file.
    """
    folders = (project.folder / "assets" / "models", project.folder / "quality" / "rules")
    files = files_fingerprint(path for folder in folders for path in folder.glob("*.sql"))
    fingerprint = f"{files} {declared_mark(declarations)}"
    now = datetime.now(UTC)
    with warehouse.snapshot() as session:
        if (not (always or whole) or not state.exists(session)) and is_refreshed(session, fingerprint, now):
            return None
    stale = {f"{name}.{stream}": text for (name, stream), text in stale_streams(declarations, good_runs, now).items()}
    described, missing = read_described(project, declarations)
    work = Work(warehouse, described, missing, fingerprint, good_runs, stale, accept, now, always, whole)
    return _refresh(work)


def _refresh(work: Work) -> Refreshed:
    """Try without the models that failed, for a query that fails may cost the transaction."""
    from leat.assets.materialize import ModelError
    from leat.quality.guard import TransactionLost

    broken, untried, lost_rules = dict(work.missing), dict[str, str](), dict[str, str]()
    overlapped = 0
    while True:
        try:
            return _refresh_without(work, broken, untried, lost_rules)
        except _Withheld as withheld:
            with refreshing(work.warehouse) as session:
                return _store(session, work, withheld.refreshed, withheld.outcomes)
        except _RuleLost as lost:
            lost_rules[lost.rule] = lost.why
        except ModelError as error:
            broken[error.model] = str(error)
        except _Moved:  # models that were built here may be older than a load that another process has applied
            continue
        except Overlapped:
            overlapped += 1
            if overlapped > _OVERLAPS:
                raise
        except TransactionLost as lost:
            if not lost.subject or lost.subject in untried:
                raise
            untried[lost.subject] = lost.why


def _refresh_without(
    work: Work, broken: Mapping[str, str], untried: Mapping[str, str], lost_rules: Mapping[str, str]
) -> Refreshed:
    """On Postgres one transaction holds models and rules, so that what blocks can be taken back; see :func:`_settle`.

    On DuckDB a rule that fails may cost its transaction, and what blocks isn't published. On a shared lake one
    transaction holds both too, and is given up where a rule has cost it or something blocks.

    Raises:
        _Moved: another process has changed what the models were built from, before the rules could be run.
        _RuleLost: a rule has cost the transaction.
        _Withheld: something blocks, and all is undone.
    """
    from leat.quality.rules import run_rules

    declared = work.described
    with refreshing(work.warehouse) as session, savepoint(session, "leat_models") as before:
        built, checked = build_models(session, work, broken, untried)
        stale = stale_tables(work, built)
        if session.dialect.savepoints:
            ruled = run_rules(session, declared.rules, declared.declarations, work.now, stale)
            return _settle(session, before, work, Refreshed(tuple(built), (*checked, *ruled)))
        if work.warehouse.publication is None:
            return _rule_at_once(session, work, Refreshed(tuple(built), checked), stale, lost_rules)
        version = version_of(session)
    return _rule(work, built, checked, stale, version)


def _rule(
    work: Work,
    built: Sequence[ModelResult],
    checked: tuple[CheckResult, ...],
    stale: Mapping[str, str],
    version: str,
) -> Refreshed:
    """Run the rules on the version that was built, and note the verdict in the same transaction."""
    from leat.quality.guard import TransactionLost
    from leat.quality.rules import run_rules

    declared, broken = work.described, dict[str, str]()
    while True:
        try:
            with refreshing(work.warehouse) as session:
                if version_of(session) != version:
                    raise _Moved
                ruled = run_rules(session, declared.rules, declared.declarations, work.now, stale, broken)
                refreshed = _accepted(work, Refreshed(tuple(built), (*checked, *ruled)))
                _note(session, work, refreshed)
                return refreshed
        except TransactionLost as lost:
            if not lost.subject or lost.subject in broken:
                raise
            broken[lost.subject] = lost.why


def _note(session: Session, work: Work, refreshed: Refreshed) -> None:
    """Note the verdict, and that nothing is left to do unless something failed: then the next run looks again."""
    note_verdict(session, passed=not refreshed.blocks, now=work.now)
    if not refreshed.blocks and not refreshed.errors:
        mark_refreshed(session, work.fingerprint, work.now)


def _accepted(work: Work, refreshed: Refreshed) -> Refreshed:
    if not refreshed.blocks or work.accept is None:
        return refreshed
    work.accept([check for check in refreshed.checks if check.blocks])
    return replace(refreshed, accepted=True)


def _settle(session: Session, before: Savepoint, work: Work, refreshed: Refreshed) -> Refreshed:
    """Take the models back if a check of severity error failed, but not the outcomes: the ledger of this run."""
    refreshed = _accepted(work, refreshed)
    if not refreshed.blocks:
        _note(session, work, refreshed)
        return refreshed
    outcomes = _outcomes(session)
    before.undo()
    return _store(session, work, refreshed, outcomes)


def _rule_at_once(
    session: Session, work: Work, built: Refreshed, stale: Mapping[str, str], lost_rules: Mapping[str, str]
) -> Refreshed:
    """Run the rules in the transaction that built the models; no part of it can be undone alone."""
    from leat.quality.guard import TransactionLost
    from leat.quality.rules import run_rules

    declared = work.described
    try:
        ruled = run_rules(session, declared.rules, declared.declarations, work.now, stale, lost_rules)
    except TransactionLost as lost:
        if not lost.subject or lost.subject in lost_rules:
            raise
        raise _RuleLost(lost.subject, lost.why) from lost
    refreshed = _accepted(work, replace(built, checks=(*built.checks, *ruled)))
    if refreshed.blocks:
        raise _Withheld(refreshed, _outcomes(session))
    _note(session, work, refreshed)
    return refreshed


def _outcomes(session: Session) -> _Outcomes:
    return {table: state.read_rows(session, table) for table in _LEDGER}


def _store(session: Session, work: Work, refreshed: Refreshed, outcomes: _Outcomes) -> Refreshed:
    """Store what checks and rules have said of models that are taken back."""
    from leat.catalog.describe import describe
    from leat.quality.stored_results import store_model_results

    state.create_tables(session)
    for table, rows in outcomes.items():
        state.replace_rows(session, table, rows)
    store_model_results(session, refreshed.checks)
    describe(session, work.described, work.good_runs)
    models = [
        replace(model, status="withheld", reason="a check of severity error failed; it stays as it was")
        if model.status == "built"
        else model
        for model in refreshed.models
    ]
    return replace(refreshed, models=tuple(models))
