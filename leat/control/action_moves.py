"""How the state of an action changes.

It changes only where the action is in the state that the caller takes it to be in, and each change is an event. Every
transaction here is on the disk when it returns, on SQLite too: what was sent must not be forgotten when power fails.
Texts must have been redacted by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, func, select, update
from sqlalchemy.orm import Session

from leat.control.action_history import note_events
from leat.control.action_tables import Action
from leat.control.engine import writing
from leat.control.outbox import COLUMNS, UNSEEN, WAITING, ActionRow, State

_MARK_SENDING = (
    update(Action)
    .where(Action.id.in_(bindparam("ids", expanding=True)))
    .values(
        state="sending",
        attempts=Action.attempts + 1,
        fence=bindparam("holder"),
        updated_at=bindparam("now"),
        sent_at=func.coalesce(Action.sent_at, bindparam("now", type_=Action.sent_at.type)),
    )
    .returning(*COLUMNS)
    .execution_options(**UNSEEN)
)
"""Built once: to build a statement and find its text costs SQLAlchemy more than SQLite takes to execute it."""


def mark_sending(session: Session, ids: Sequence[str], fence: int, now: datetime) -> list[ActionRow]:
    """Mark actions as being sent, and return them as they are then, in this order."""
    marked = session.execute(_MARK_SENDING, {"ids": list(ids), "holder": fence, "now": now})
    return sorted((ActionRow(*row) for row in marked), key=lambda row: ids.index(row.id))


def move(
    session: Session,
    row_id: str,
    states: Collection[State],
    to: State,
    now: datetime,
    by: str,
    detail: str = "",
    **values: Any,
) -> bool:
    """Change the state of an action; return whether it was in one of these states.

    Args:
        session: of :func:`leat.control.engine.writing`, durable.
        row_id: the action.
        states: where it has to be.
        to: where it goes.
        now: the time.
        by: who does it.
        detail: why, for its events.
        **values: other columns to set.
    """
    changed = update(Action).where(Action.id == row_id, Action.state.in_(states))
    wanted = changed.values(state=to, updated_at=now, **values)
    result: Any = session.execute(wanted, execution_options=UNSEEN)
    if not result.rowcount:
        return False
    note_events(session, [(row_id, to, detail)], now, {row_id: by})
    return True


def expire_actions(engine: Engine, now: datetime) -> int:
    """Let actions expire that were not sent in time; return how many."""
    late = (Action.state.in_(WAITING), Action.expires_at <= now)
    with Session(engine) as session:
        if not session.scalar(select(func.count()).select_from(Action).where(*late)):
            return 0
    with writing(engine, durable=True) as session:
        ids = list(session.scalars(select(Action.id).where(*late)))
        return sum(
            move(session, each, WAITING, "expired", now, "leat", "too late to send it", ended_at=now) for each in ids
        )
