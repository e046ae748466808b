"""Writes down what became of actions that were sent, looked for or confirmed, all of a group in one transaction.

The statements are built once: to build one and find its text costs SQLAlchemy more than SQLite takes to execute it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Engine, bindparam, delete, select, update
from sqlalchemy.orm import Session

from leat.control.action_history import note_events
from leat.control.action_lease import Lease, check_fence
from leat.control.action_moves import move
from leat.control.action_tables import Action, ActionAttempt
from leat.control.engine import storable, writing
from leat.control.outbox import CONTENT, ActionRow, State, store_bodies

_BY = "leat"
_TABLES = Action.metadata.tables
_ACTION, _ATTEMPT = _TABLES[Action.__tablename__], _TABLES[ActionAttempt.__tablename__]
_STATES = (
    select(_ACTION.c.id, _ACTION.c.state)
    .where(_ACTION.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_ACTION.c.id)
    .with_for_update()
)
_SET = ("state", "updated_at", "reason", "next_at", "ended_at", "attempts", "sent_at")
_MOVE = (
    update(_ACTION)
    .where(_ACTION.c.id == bindparam("of"))
    .values(
        {name: bindparam(f"to_{name}") for name in _SET}
        | {"receipt": bindparam("to_receipt", type_=JSON(none_as_null=True))}
    )
)
_THIS_ATTEMPT = (_ATTEMPT.c.action_id == bindparam("of"), _ATTEMPT.c.number == bindparam("nth"))
_UNSEND = delete(_ATTEMPT).where(*_THIS_ATTEMPT)
_END = (
    update(_ATTEMPT)
    .where(*_THIS_ATTEMPT)
    .values({name: bindparam(f"to_{name}") for name in ("ended_at", "outcome", "error_type", "error")})
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action.

    Attributes:
        action: the action.
        state: where it goes.
        detail: why, for people; without secrets.
        next_at: when it is looked at next; None for never.
        receipt: what the system answered.
        content: the bytes that the action has made.
        error_type: class of the error; None when it was sent.
    """

    action: ActionRow
    state: State
    detail: str = ""
    next_at: datetime | None = None
    receipt: dict[str, Any] | None = None
    content: bytes | None = None
    error_type: str | None = None

    @property
    def was_sent(self) -> bool:
        """Whether the attempt counts, of an action that was claimed to be sent."""
        return self.state not in ("approved", "expired") or self.error_type is not None

    @property
    def reason(self) -> str | None:
        """The detail as text that the control store can hold."""
        return (self.detail and storable(self.detail)) or None


def record(store: Engine, lease: Lease, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write down what became of claimed actions, or of those that were looked for.

    Raises:
        Fenced: another process has taken over; nothing is written.
    """
    if not outcomes:
        return
    with writing(store, durable=True) as session:
        check_fence(session, lease)
        _end_attempts(session, [each for each in outcomes if each.action.state == "sending"], now)
        _move(session, outcomes, now)


def _end_attempts(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    unsent = [_attempt(each) for each in outcomes if not each.was_sent]
    ended = [_attempt(each) | _end(each, now) for each in outcomes if each.was_sent]
    if unsent:
        session.connection().execute(_UNSEND, unsent)
    if ended:
        session.connection().execute(_END, ended)


def _attempt(outcome: Outcome) -> dict[str, Any]:
    return {"of": outcome.action.id, "nth": outcome.action.attempts}


def _end(outcome: Outcome, now: datetime) -> dict[str, Any]:
    error = outcome.reason if outcome.error_type else None
    return {"to_ended_at": now, "to_outcome": outcome.state, "to_error_type": outcome.error_type, "to_error": error}


def _move(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Change the states of those actions that are still as they were taken to be."""
    states = session.connection().execute(_STATES, {"ids": [each.action.id for each in outcomes]})
    there = dict(states.tuples().all())
    moved = [each for each in outcomes if there.get(each.action.id) == each.action.state]
    if not moved:
        return
    store_bodies(session, [each.content for each in moved if each.content is not None])
    session.connection().execute(_MOVE, [_values(each, now) for each in moved])
    note_events(session, [(each.action.id, each.state, each.detail) for each in moved], now,
                {each.action.id: _BY for each in moved})  # fmt: skip
    for each in moved:
        if each.state == "confirmed" and each.action.undo_of:
            effective: tuple[State, ...] = ("done", "confirmed", "diverged")
            move(session, each.action.undo_of, effective, "undone", now, _BY, f"by {each.action.id}")


def _values(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return the row as it is afterwards; only its sender changes what isn't said here."""
    row, receipt = outcome.action, outcome.receipt if outcome.receipt is not None else outcome.action.receipt
    if outcome.content is not None:
        receipt = {**(outcome.receipt or {}), CONTENT: hashlib.sha256(outcome.content).hexdigest()}
    over = outcome.state in ("done", "failed", "confirmed", "diverged", "expired")
    unsent = row.state == "sending" and not outcome.was_sent
    return {
        "of": row.id,
        "to_state": outcome.state,
        "to_updated_at": now,
        "to_reason": outcome.reason,
        "to_next_at": outcome.next_at or now,
        "to_ended_at": now if over and row.ended_at is None else row.ended_at,
        "to_receipt": receipt,
        "to_attempts": row.attempts - unsent,
        "to_sent_at": None if unsent and row.attempts == 1 else row.sent_at,
    }
