"""Apply a landed load to the warehouse: all of its streams, its cursor and its log in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from leat.pipelines.load import state
from leat.pipelines.load.apply_stream import Applying, apply_stream
from leat.pipelines.load.held_rows import NOBODY, Held
from leat.pipelines.load.landed_events import read_events
from leat.pipelines.load.landing import LOAD_ID, Landed
from leat.pipelines.load.plan import BACKFILL, RESET, LoadPlan
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.retention import purged_events
from leat.pipelines.load.state import State
from leat.pipelines.load.stream_failures import Failure
from leat.warehouse.session import Session, execute_all, quote

_ANALYZED_FROM = 10
"""The planner analyses a table again when more than one row in so many is new."""


def apply_load(
    session: Session,
    plan: LoadPlan,
    landed: Landed,
    before: State,
    at: datetime,
    failed: Mapping[str, Failure] | None = None,
    held: Held = NOBODY,
) -> list[StreamResult] | None:
    """Apply a load inside an open transaction.

    Args:
        session: the writing transaction; the caller commits.
        plan: of the load.
        landed: the landed load.
        before: the state of the integration in this transaction.
        at: the time written into the rows; later than the last load's, even when the clock went backwards.
        failed: streams that failed in an earlier attempt to apply the load; they are left out, but for their
            quarantined records.
        held: whose rows stay, whatever retention says.

    Returns:
        One result per stream, or None when the load changed nothing at all, not even the cursor. When streams failed
        and no other changed, the results of those that failed; the cursor then stays where it was.

    Raises:
        StreamFailed: a stream can't be applied; because a full scan would delete too much, or too many of its records
            are quarantined, for example.
    """
    state.create_tables(session)
    name = plan.declaration.name
    events = read_events(name, landed)
    if plan.kind == BACKFILL:
        events = events.without_deletes()
    at = before.later(at)
    whole = {stream: failure for stream, failure in events.failed.items() if not failure.parts}
    totals = state.read_totals(session, name)
    load = Applying(session, plan, landed, events, before, at, {**whole, **(failed or {})}, held=held, totals=totals)
    results = [apply_stream(load, stream) for stream in plan.extracted]
    stuck = bool(failed) and not any(result.changed for result in results)  # the next run extracts the same again
    moved = not stuck and _move_cursor(load, failed or {})
    logged = [(log["event_type"], log["data"]) for log in events.logs] + purged_events(load.purged)
    logged += [event for stream, drift in load.drifts.items() for event in drift.events(stream)]
    if not (any(r.changed or r.quarantined for r in results) or logged):
        return [r for r in results if r.error] or ([] if moved or load.reshaped else None)
    for result in results:
        if _ANALYZED_FROM * (result.inserted + result.updated) > result.total:
            execute_all(session, session.dialect.gather_statistics(quote(name, result.stream)))
    state.write_load(session, landed.load_id, name, plan.kind, (_landed_at(landed), at))
    state.write_results(session, landed.load_id, name, results)
    state.write_log(session, landed.load_id, name, logged, at)
    return results


def _move_cursor(load: Applying, failed: Mapping[str, Failure]) -> bool:
    """Write the cursor and the streams that it covers; returns whether either is another than before.

    A stream that failed while it was applied isn't covered, for its rows lack what the cursor has passed. Where the
    driver reported it, the stream's part of the cursor has stayed, unless everything was read from the start.
    """
    plan, before = load.plan, load.before
    reported = {s for s, failure in load.events.failed.items() if plan.cursor_stays or not failure.parts}
    cursor = None if plan.cursor_stays else load.events.cursor
    if plan.kind == RESET:
        covered = (before.covered if plan.cursor_stays else frozenset()) | (plan.streams - reported)
    else:
        covered = before.covered & plan.streams if cursor not in (None, before.cursor) else before.covered
    covered -= failed.keys()
    if cursor is None:
        cursor = before.cursor
    if cursor is None or (cursor == before.cursor and covered == before.covered):
        return False
    state.write_cursor(load.session, plan.declaration.name, load.landed.load_id, cursor, covered)
    return True


def _landed_at(landed: Landed) -> datetime:
    return datetime.strptime(landed.load_id, LOAD_ID).replace(tzinfo=UTC)
