"""What people decide of actions: approve, reject, cancel, undo, and say what became of one that nobody can look for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leat.actions.office import Office
from leat.actions.propose import Wish, order_of, propose
from leat.control.action_history import Decision, note_decision
from leat.control.action_moves import move
from leat.control.actor import actor_of
from leat.control.audit_events import note as record
from leat.control.engine import writing
from leat.control.outbox import EFFECTIVE, UNDECIDED, WAITING, ActionRow, State, read_actions
from leat.sources.actions import Receipt


class NotAllowed(Exception):
    """A decision isn't possible; the text says why and what is."""


def approve(store: Engine, row: ActionRow, by: str, note: str = "") -> None:
    """Approve an action as it was shown: the approval is for the digest of its plan.

    Raises:
        NotAllowed: it doesn't wait for approval, or it moves money and this person planned it.
    """
    refuse_own_money(row, by)
    _decide(store, row, UNDECIDED, "approved", by, note)


def refuse_own_money(row: ActionRow, by: str) -> None:
    """Make sure that who approves an action that moves money isn't who planned it.

    Raises:
        NotAllowed: it is.
    """
    if row.money and row.created_by.casefold() == by.casefold():
        msg = f"{row.id[:8]} moves money, so a second person has to approve it: {by} planned it"
        raise NotAllowed(msg)


def reject(store: Engine, row: ActionRow, by: str, note: str = "") -> None:
    """Reject an action.

    Raises:
        NotAllowed: it doesn't wait for approval.
    """
    _decide(store, row, UNDECIDED, "rejected", by, note)


def cancel(store: Engine, row: ActionRow, by: str, note: str = "") -> None:
    """Withdraw an action that hasn't been sent.

    Raises:
        NotAllowed: it has been sent, or is over.
    """
    now = datetime.now(UTC)
    with writing(store, durable=True) as session:
        if not move(session, row.id, WAITING, "cancelled", now, by, note, reason=note or None, ended_at=now):
            raise _not_in(store, row, "can't be cancelled any more; `leat actions undo` takes back what was done")
        record(session, "action.cancelled", {"action": row.id}, by=actor_of(by), now=now)


def answer(store: Engine, row: ActionRow, by: str, *, happened: bool) -> None:
    """Say whether an action had its effect, which leat can't find out by itself.

    Raises:
        NotAllowed: nobody was asked.
    """
    now = datetime.now(UTC)
    to: State = "confirmed" if happened else "approved"
    values: dict[str, Any] = {"receipt": {}, "ended_at": now} if happened else {"next_at": now}
    said = "a person saw the effect" if happened else "a person saw that there is no effect"
    with writing(store, durable=True) as session:
        if not move(session, row.id, {"asking"}, to, now, by, said, reason=None, **values):
            raise _not_in(store, row, "needs no answer")
        record(session, "action.resolved", {"action": row.id, "happened": happened}, by=actor_of(by), now=now)


def undo(office: Office, row: ActionRow, by: str, after_id: str | None = None) -> ActionRow:
    """Plan the action that takes another one back, and return it; it needs an approval of its own.

    Args:
        office: what acting needs.
        row: the action.
        by: who wants it.
        after_id: the action that has to be done before.

    Raises:
        NotAllowed: there is nothing to undo.
        Refused: it can't be undone, or not any more.
        IntegrationError: the system can't be read.
    """
    [row] = read_actions(office.store, ids=[row.id])
    if row.state not in EFFECTIVE or row.receipt is None:
        raise _not_in(office.store, row, "has no effect that could be undone")
    verb, action = office.verb(row.integration, row.verb)
    with office.connected(row.integration) as system:
        inverse = action.undo(system, order_of(office.store, verb, row), Receipt(row.receipt))
    return propose(
        office,
        Wish(
            row.integration,
            inverse.verb,
            inverse.parameters,
            by,
            _undo_key(office.store, row),
            undo_of=row.id,
            after_id=after_id,
        ),
    )


def _undo_key(store: Engine, row: ActionRow) -> str:
    """Return the key of the undoing: the same while one is under way, another once that one came to nothing."""
    over = {"rejected", "cancelled", "expired", "failed"}
    tried = [each for each in read_actions(store, states=over, integration=row.integration) if each.undo_of == row.id]
    return f"undo:{row.id}:{len(tried)}"


def _decide(store: Engine, row: ActionRow, states: Collection[State], to: State, by: str, note: str) -> None:
    now = datetime.now(UTC)
    with writing(store, durable=True) as session:
        _decide_in(session, store, row, states, Decision(row.digest, to, by, now, note), note)


def approve_in(session: Session, store: Engine, row: ActionRow, by: str, note: str, now: datetime, how: str) -> None:
    """Approve an action within a transaction; ``how`` is said in its history, after the note.

    Raises:
        NotAllowed: it doesn't wait for approval.
    """
    decision = Decision(row.digest, "approved", by, now, note)
    _decide_in(session, store, row, UNDECIDED, decision, f"{note} ({how})" if note else how)


def _decide_in(
    session: Session, store: Engine, row: ActionRow, states: Collection[State], decision: Decision, detail: str
) -> None:
    to: Any = decision.decision
    if row.expires_at <= decision.decided_at:
        msg = f"{row.id[:8]} expired {row.expires_at:%Y-%m-%d %H:%M} UTC; plan it again"
        raise NotAllowed(msg)
    values: dict[str, Any] = {"ended_at": decision.decided_at} if to == "rejected" else {}
    reason = decision.note or None
    if not move(session, row.id, states, to, decision.decided_at, decision.decided_by, detail, reason=reason, **values):
        raise _not_in(store, row, f"can't be {to}")
    note_decision(session, row.id, decision)


def _not_in(store: Engine, row: ActionRow, what: str) -> NotAllowed:
    current = read_actions(store, ids=[row.id])
    return NotAllowed(f"{row.id[:8]} is {current[0].state if current else 'gone'}, so it {what}")
