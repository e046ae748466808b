"""What follows in the outbox: approved actions that wait for another one that is done now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session, aliased

from leat.control.action_tables import Action
from leat.control.outbox import NEVER, ActionRow, read_actions


def integrations_that_follow(engine: Engine, now: datetime) -> set[str]:
    """Return the integrations with approved actions that are due and whose earlier action is done."""
    before = aliased(Action)
    names = (
        select(Action.integration)
        .join(before, before.id == Action.after_id)
        .where(
            Action.state == "approved",
            or_(Action.next_at <= now, Action.next_at == NEVER),
            before.state.in_(("done", "confirmed")),
        )
    )
    with Session(engine) as session:
        return set(session.scalars(names.distinct()))


def chain_ids(engine: Engine, row_id: str) -> list[str]:
    """Return the ids of the actions that wait for each other, that of the given one among them, the first one first."""
    with Session(engine) as session:
        first = row_id
        while before := session.scalar(select(Action.after_id).where(Action.id == first)):
            first = before
        ids = [first]
        while after := list(session.scalars(select(Action.id).where(Action.after_id == ids[-1]).order_by(Action.id))):
            ids += after
    return ids


def read_waiting_for_results(engine: Engine, integration: str) -> list[ActionRow]:
    """Return the approved actions that aren't planned yet and whose earlier action is done, the oldest first."""
    before = aliased(Action)
    ids = (
        select(Action.id)
        .join(before, before.id == Action.after_id)
        .where(
            Action.integration == integration,
            Action.state == "approved",
            Action.next_at == NEVER,
            before.state.in_(("done", "confirmed")),
        )
    )
    with Session(engine) as session:
        waiting = list(session.scalars(ids))
    return read_actions(engine, ids=waiting)[::-1] if waiting else []
