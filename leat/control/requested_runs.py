"""Runs that somebody asked `leat serve` for: one worker of all servers carries each out, under a lease.

A worker that ends or freezes meanwhile loses its lease, and another one begins the run again: what was loaded before is
then simply not new any more.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine, Insert, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from leat.control.engine import storable, writing
from leat.control.requested_tables import RequestedRun as Row
from leat.control.requested_tables import RequestedRunEvent as Event
from leat.warehouse.holder import has_ended, this_process

State = Literal["queued", "running", "ok", "failed", "blocked", "busy", "interrupted"]
LASTS = timedelta(seconds=30)
"""How long a worker has the right to carry a run out after it last reported."""
_RETAINED = timedelta(days=7)
_MOST = 3
"""So many workers begin a run: it may be what ends them."""
_OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that was asked for.

    Attributes:
        id: ``run_…``.
        integrations: what is loaded.
        requested_by: who asked.
        requested_at: when, UTC.
        state: how it is, or how it ended; interrupted when three workers ended while they carried it out.
        started_at: when it began, UTC.
        ended_at: when it ended, UTC.
        error: why nothing of it could be run; the errors of integrations are in the events.
        full_refresh: whether all rows of all models are built, changed or not.
    """

    id: str
    integrations: Sequence[str]
    requested_by: str
    requested_at: datetime
    state: State = "queued"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None
    full_refresh: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing follows any more."""
        return self.state not in _OPEN


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a run out.

    Attributes:
        run: the run.
        holder: who has it.
        events: how many events it has from an earlier worker.
    """

    run: RequestedRun
    holder: str
    events: int


def add_requests(engine: Engine, runs: Collection[RequestedRun]) -> None:
    """Store runs that are asked for, durably; those that are there already stay as they are."""
    rows = [
        {"id": each.id, "integrations": list(each.integrations), "requested_by": storable(each.requested_by)[:255],
         "requested_at": each.requested_at, "state": "queued", "claims": 0, "full_refresh": each.full_refresh}
        for each in runs
    ]  # fmt: skip
    if rows:
        with writing(engine, durable=True) as session:
            session.execute(_new(engine, Row), rows)


def find_request(engine: Engine, run_id: str) -> RequestedRun | None:
    """Return a run that was asked for; None if there is none."""
    with Session(engine) as session:
        row = session.get(Row, run_id)
        return None if row is None else _made(row)


def events_of(engine: Engine, run_id: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Return what happened in a run after an event, with the numbers."""
    wanted = select(Event.number, Event.data).where(Event.run_id == run_id, Event.number > after)
    with Session(engine) as session:
        return [(number, json.loads(data)) for number, data in session.execute(wanted.order_by(Event.number))]


def count_queued(engine: Engine) -> int:
    """Return how many runs wait for a worker."""
    with Session(engine) as session:
        return session.scalars(select(func.count()).select_from(Row).where(Row.state == "queued")).one()


def claim_next(engine: Engine) -> Claim | None:
    """Claim the oldest run that nobody carries out; None if there is none."""
    wanted = select(Row.id, Row.holder, Row.expires_at).where(Row.state.in_(_OPEN)).order_by(Row.id)
    with Session(engine) as session:
        waiting = session.execute(wanted).all()
        now = _now(session) if waiting else datetime.now(UTC)
    for run_id, holder, expires_at in waiting:
        if _is_free(holder, expires_at, now) and (claim := _claim(engine, run_id)) is not None:
            return claim
    return None


def report(
    engine: Engine, claim: Claim, events: Mapping[int, Mapping[str, Any]], ended: RequestedRun | None = None
) -> bool:
    """Store what happens in a claimed run, which also renews the claim; what was stored before stays as it is.

    Args:
        engine: the control store.
        claim: the right to carry it out.
        events: by number, what happened.
        ended: how it ended; it is durable afterwards.

    Returns:
        Whether the claim still counts; if another worker has taken over, nothing was stored.
    """
    rows = [{"run_id": claim.run.id, "number": n, "data": json.dumps(each, default=str)} for n, each in events.items()]
    with writing(engine, durable=ended is not None) as session:
        values: dict[str, Any] = {"expires_at": _now(session) + LASTS}
        if ended is not None:
            error = None if ended.error is None else storable(ended.error)
            values |= {"state": ended.state, "ended_at": ended.ended_at, "error": error}
        renewed = update(Row).where(Row.id == claim.run.id, Row.holder == claim.holder).values(values)
        if not session.execute(renewed).rowcount:  # type: ignore[attr-defined]
            return False
        if rows:
            session.execute(_new(engine, Event), rows)
    return True


def remove_old(engine: Engine) -> None:
    """Remove the runs that ended seven days ago."""
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.ended_at < datetime.now(UTC) - _RETAINED))


def _claim(engine: Engine, run_id: str) -> Claim | None:
    """Claim a run, unless another worker has done so since."""
    wanted = select(Row).where(Row.id == run_id, Row.state.in_(_OPEN))
    with writing(engine) as session:
        row = session.scalars(wanted.with_for_update(skip_locked=True)).first()
        now = _now(session)
        if row is None or not _is_free(row.holder, row.expires_at, now):
            return None
        if row.claims >= _MOST:
            row.state, row.ended_at = "interrupted", now
            row.error = f"{_MOST} workers ended while they carried it out; look into the log of `leat serve`"
            return None
        row.holder = f"{this_process()} {secrets.token_hex(8)}"
        row.state, row.claims, row.started_at, row.expires_at = "running", row.claims + 1, now, now + LASTS
        session.flush()
        events = session.scalar(select(func.max(Event.number)).where(Event.run_id == run_id)) or 0
        return Claim(_made(row), row.holder, events)


def _is_free(holder: str | None, expires_at: datetime | None, now: datetime) -> bool:
    return holder is None or expires_at is None or expires_at <= now or has_ended(holder)


def _now(session: Session) -> datetime:
    """Return the time of the server, because the clocks of machines differ."""
    now = session.scalar(select(func.now())) if session.get_bind().dialect.name == "postgresql" else None
    return datetime.now(UTC) if now is None else now


def _new(engine: Engine, table: type[Row] | type[Event]) -> Insert:
    """Return an insertion that leaves rows as they are that are there already."""
    new = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    return new(table).on_conflict_do_nothing()


def _made(row: Row) -> RequestedRun:
    state: Any = row.state
    times = (row.started_at, row.ended_at)
    who = (row.id, row.integrations, row.requested_by, row.requested_at)
    return RequestedRun(*who, state, *times, row.error, row.full_refresh)
