"""What is new in a control store since a cursor.

The small tables are compared by a hash of their content. Rows of the log, runs, and what happens to actions, are read
from where the last load ended, going back ten minutes, because a row with an earlier time may be committed later; those
that have been delivered from these minutes are named in the cursor. API calls are final when their run has ended, and
are read with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from leat.sources.batch import Batch, to_json
from leat.sources.driver import Sync
from leat.sources.events import Event, FullScan
from leat.sources.platform.sql.store import records, table_of
from leat.sources.platform.streams import (
    ACTION_APPROVALS,
    ACTION_ATTEMPTS,
    ACTION_EVENTS,
    ACTIONS,
    API_CALLS,
    AUTOMATION_RUNS,
    INTEGRATION_LOGS,
    INTEGRATIONS,
    RUNS,
    TRACKING_EVENTS,
)
from leat.sources.stream import Stream

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

OVERLAP = timedelta(minutes=10)
"""Clocks of machines that share a store, and the time that a transaction takes, must differ by less."""

_TIME = {
    INTEGRATION_LOGS.name: "created_at",
    RUNS.name: "ended_at",
    ACTIONS.name: "updated_at",
    ACTION_ATTEMPTS.name: "ended_at",
    ACTION_APPROVALS.name: "decided_at",
    ACTION_EVENTS.name: "changed_at",
    TRACKING_EVENTS.name: "happened_at",
    AUTOMATION_RUNS.name: "planned_at",
}
"""When a row became what it is. An action changes, and then comes again."""
_OWN = "@%"
"""What the name of an integration is like under which leat sends its own messages."""
_RUNS_AT_ONCE = 500  # databases take no query of any length


def has_news(store: Connection, stream: Stream, before: Any) -> bool:
    """Return whether a stream has rows that are reason enough for a load.

    Runs with nothing new are not, nor is what integrations of this source did; API calls are what their runs are.

    Args:
        store: a snapshot of the store.
        stream: the stream.
        before: the stream's value in the last cursor; None when it was never read.
    """
    if before is None:
        return True
    if stream is API_CALLS:
        return has_news(store, RUNS, before)
    if stream.name not in _TIME:
        return bool(_digest(store, stream) != before)
    quiet = []
    if stream in (INTEGRATION_LOGS, RUNS):
        quiet.append(table_of(INTEGRATIONS).c.integration_type.not_like("platform/%"))
    if stream is RUNS:
        quiet.append(table_of(RUNS).c.status != "nothing_new")
    return next(_unseen(store, stream, before, *quiet), None) is not None


def read_changes(store: Connection, stream: Stream, before: Any, sync: Sync) -> Generator[Event, None, Any]:
    """Yield the new rows of a stream, quiet ones too; return the stream's value for the next cursor."""
    if stream is API_CALLS:
        return (yield from _read_calls(store, before, sync))
    if stream.name in _TIME:
        return (yield from _read_final(store, stream, before, sync))
    digest = _digest(store, stream)
    if digest != before:
        yield from _rows(stream, records(store, stream), sync)
        yield FullScan(stream.name)
    return digest


def _digest(store: Connection, stream: Stream) -> str:
    digest = hashlib.sha256()
    for record in records(store, stream):
        digest.update(to_json(record).encode())
    return digest.hexdigest()


def _read_final(store: Connection, stream: Stream, before: Any, sync: Sync) -> Generator[Event, None, Any]:
    after = _position(before, sync)
    yield from _rows(stream, _marked(store, stream, before, after), sync)
    return after


def _read_calls(store: Connection, before: Any, sync: Sync) -> Generator[Event, None, Any]:
    """Yield the API calls of runs that have ended; the position is that of their runs."""
    after = _position(before, sync)
    runs = [str(run["id"]) for run in _marked(store, RUNS, before, after)]

    def calls() -> Iterator[Mapping[str, Any]]:
        for first in range(0, len(runs), _RUNS_AT_ONCE):
            yield from records(store, API_CALLS, table_of(API_CALLS).c.run_id.in_(runs[first : first + _RUNS_AT_ONCE]))

    yield from _rows(API_CALLS, calls(), sync)
    return after


def _position(before: Any, sync: Sync) -> dict[str, Any]:
    """Return where the next load goes on, as long as no row has been delivered: ``since``, and what was ``seen``."""
    since = _text(sync.now - OVERLAP)
    if before is not None:
        since = max(since, before["since"])  # both are UTC in one format, so that they sort as text
    seen = {mark: time for mark, time in (before or {"seen": {}})["seen"].items() if time >= since}
    return {"since": since, "seen": seen}


def _marked(store: Connection, stream: Stream, before: Any, after: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the final rows that the cursor doesn't know, and note them as seen."""
    for record in _unseen(store, stream, before):
        time = _text(record[_TIME[stream.name]])
        if time >= after["since"]:
            after["seen"][str(record["id"])] = time
        yield record


def _unseen(
    store: Connection, stream: Stream, before: Any, *conditions: ColumnElement[bool]
) -> Iterator[Mapping[str, Any]]:
    """Yield the final rows that the cursor doesn't know; none of what leat sends in its own name, such as alerts."""
    time = table_of(stream).c[_TIME[stream.name]]
    conditions += _not_own(stream)
    if before is None:
        yield from records(store, stream, time.is_not(None), *conditions)
        return
    for record in records(store, stream, time >= datetime.fromisoformat(before["since"]), *conditions):
        if before["seen"].get(str(record["id"])) != _text(record[time.name]):
            yield record


def _not_own(stream: Stream) -> tuple[ColumnElement[bool], ...]:
    from sqlalchemy import select

    actions = table_of(ACTIONS)
    if stream is ACTIONS:
        return (actions.c.integration.not_like(_OWN),)
    if stream in (ACTION_ATTEMPTS, ACTION_APPROVALS, ACTION_EVENTS):
        own = select(actions.c.id).where(actions.c.integration.like(_OWN))
        return (table_of(stream).c.action_id.not_in(own),)
    return ()


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")


def _rows(stream: Stream, records: Iterator[Mapping[str, Any]], sync: Sync) -> Iterator[Event]:
    batch = Batch(stream)
    count = 0
    for record in records:
        yield from batch.add(record)
        count += 1
    yield from batch.flush()
    sync.progress(stream.name, count)
