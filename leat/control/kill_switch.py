"""The kill switches of actions: while one is on, nothing of its scope is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from leat.control.action_tables import ActionStop
from leat.control.actor import actor_of
from leat.control.audit_events import note
from leat.control.engine import storable, writing


@dataclass(frozen=True, slots=True)
class Stop:
    """A kill switch that is on; its scope is an integration, ``automation/NAME``, or ``*`` for everything."""

    scope: str
    stopped_by: str
    stopped_at: datetime
    note: str


def read_stops(engine: Engine) -> list[Stop]:
    """Return the kill switches that are on."""
    with Session(engine) as session:
        rows = session.scalars(select(ActionStop).order_by(ActionStop.scope))
        return [Stop(row.scope, row.stopped_by, row.stopped_at, row.note) for row in rows]


def stop_actions(engine: Engine, stop: Stop) -> None:
    """Put a kill switch on: nothing of its scope is sent from now on."""
    with writing(engine, durable=True) as session:
        note(session, "actions.stopped", {"scope": stop.scope}, by=actor_of(stop.stopped_by), now=stop.stopped_at)
        session.merge(
            ActionStop(
                scope=stop.scope, stopped_by=stop.stopped_by, stopped_at=stop.stopped_at, note=storable(stop.note)
            )
        )


def start_actions(engine: Engine, scope: str) -> bool:
    """Take a kill switch off; return whether it was on."""
    with writing(engine, durable=True) as session:
        result: Any = session.execute(delete(ActionStop).filter_by(scope=scope))
        if result.rowcount:
            note(session, "actions.started", {"scope": scope})
        return bool(result.rowcount)
