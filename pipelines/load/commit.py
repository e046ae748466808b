"""Apply a landed load in one transaction, again without the streams that fail, until it is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from leat.pipelines.load import retention, state
from leat.pipelines.load.apply import apply_load
from leat.pipelines.load.checking import ChecksFailed, check_tables
from leat.pipelines.load.column_key import is_overtaken
from leat.pipelines.load.engine import Engine
from leat.pipelines.load.error_message import failure_of
from leat.pipelines.load.held_rows import NOBODY
from leat.pipelines.load.landing import Landed
from leat.pipelines.load.plan import LoadPlan
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.stream_failures import Failure, StreamFailed
from leat.pipelines.load.table_changes import prepare_table
from leat.pipelines.load.totals import RunTotals
from leat.warehouse.publication import rewrite_next_version
from leat.warehouse.session import OutOfMemory, Overlapped, execute_all

Outcome = tuple[Sequence[StreamResult], Mapping[str, Failure]]
"""The results of a load, and the streams that it left as they were and whose checks fail."""

_OVERLAPS = 5
"""So often a load is applied again that another transaction was in the way of."""


class _RolledBack(Exception):
    """A dry run has applied its load, and the transaction is rolled back."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("dry run")
        self.outcome = outcome


def commit_load(engine: Engine, plan: LoadPlan, landed: Landed, totals: RunTotals) -> bool:
    """Apply a load, unless the integration has moved since it was extracted; returns whether it was applied.

    When a stream fails, the transaction is rolled back and run again without it; when its rows are too large for the
    memory that most loads need, with more.
    """
    name = plan.declaration.name
    engine.observe(name, "applying")
    failed: dict[str, Failure] = {}
    large_rows, overlapped = False, 0
    try:
        if (plan.rebuild or (plan.retention_due and plan.start.newest_load)) and not plan.dry:
            rewrite_next_version(engine.warehouse)
        while True:
            try:
                outcome = _commit_once(engine, plan, landed, totals, failed, large_rows)
            except Overlapped:
                overlapped += 1
                if overlapped > _OVERLAPS:
                    raise
            except OutOfMemory:
                if large_rows:
                    raise
                large_rows = True
            except StreamFailed as one:
                failed[one.stream] = failure_of(name, one.error)
            except ChecksFailed as some:
                failed |= some.failures
            except _RolledBack as dry:
                outcome = dry.outcome
                break
            else:
                break
        if outcome is None:
            return False
        results, unchanged = outcome
        engine.observe(name, "applied")
        totals.add(landed.load_id, results)
        totals.retention_enforced |= plan.retention_due and plan.has_every_stream
        totals.fail({**landed.failures(plan.streams), **failed, **unchanged})
    finally:
        landed.remove()
    return True


def _commit_once(
    engine: Engine,
    plan: LoadPlan,
    landed: Landed,
    totals: RunTotals,
    failed: Mapping[str, Failure],
    large_rows: bool,
) -> Outcome | None:
    """Apply a load without the streams that failed; None when the integration has moved since it was extracted."""
    declaration = plan.declaration
    unchanged: Mapping[str, Failure] = {}
    with engine.writing(declaration.name) as session:
        before = state.read_state(session, declaration.name)
        if before.position != plan.start.position or is_overtaken(plan, before):
            return None
        execute_all(session, session.dialect.settings("merge_large_rows" if large_rows else "merge"))
        if plan.dry and not plan.rebuild:
            for stream in plan.extracted:
                if stream.name not in failed:
                    prepare_table(session, declaration, stream, datetime.now(UTC))
            before = state.read_state(session, declaration.name)
        held = engine.held(session) if retention.retained(declaration) else NOBODY
        results = apply_load(session, plan, landed, before, datetime.now(UTC), failed, held)
        if results is not None and not (results and all(result.error for result in results)):
            changed = [result.stream for result in results if result.changed]
            unchanged = check_tables(engine, session, declaration, totals, changed, forced=plan.forced)
        if plan.retention_due and plan.has_every_stream:
            retention.mark_enforced(session, declaration, datetime.now(UTC))
        if plan.dry:
            raise _RolledBack((results or (), unchanged))
    return results or (), unchanged
