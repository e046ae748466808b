"""What happened to actions, and what people decided of them; rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from leat.control.action_tables import ActionApproval, ActionEvent
from leat.control.actor import actor_of
from leat.control.audit_events import note
from leat.control.engine import storable

_EVENT = insert(ActionEvent.metadata.tables[ActionEvent.__tablename__])


def note_events(session: Session, events: Sequence[tuple[str, str, str]], now: datetime, by: Mapping[str, str]) -> None:
    """Add events: action, state, detail; ``by`` says who, for each action."""
    rows = [
        {"action_id": row_id, "changed_at": now, "state": state, "changed_by": by[row_id], "detail": storable(detail)}
        for row_id, state, detail in events
    ]
    if rows:
        session.connection().execute(_EVENT, rows)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided of an action, for the plan of this digest."""

    digest: str
    decision: str
    decided_by: str
    decided_at: datetime
    note: str


def note_decision(session: Session, row_id: str, decision: Decision) -> None:
    """Add what a person decided, also to the audit log."""
    detail = {"action": row_id, "digest": decision.digest}
    note(session, f"action.{decision.decision}", detail, by=actor_of(decision.decided_by), now=decision.decided_at)
    session.add(
        ActionApproval(
            action_id=row_id,
            digest=decision.digest,
            decision=decision.decision,
            decided_by=decision.decided_by,
            decided_at=decision.decided_at,
            note=storable(decision.note),
        )
    )


def decisions_of(session: Session, row_id: str) -> list[Decision]:
    """Return what people decided of an action, the oldest first."""
    wanted = select(ActionApproval).filter_by(action_id=row_id).order_by(ActionApproval.id)
    return [Decision(r.digest, r.decision, r.decided_by, r.decided_at, r.note) for r in session.scalars(wanted)]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A change of an action's state."""

    at: datetime
    state: str
    by: str
    detail: str


def events_of(engine: Engine, row_id: str) -> list[EventRow]:
    """Return how the state of an action changed, the oldest first."""
    wanted = select(ActionEvent).filter_by(action_id=row_id).order_by(ActionEvent.id)
    with Session(engine) as session:
        return [EventRow(row.changed_at, row.state, row.changed_by, row.detail) for row in session.scalars(wanted)]
