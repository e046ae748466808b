"""The steps of a target of an automation as one chain: shown together, and approved together.

An approval of a chain is for the digest of its plan: of all its steps, in their order, as they were shown. All steps
get it in one transaction, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Engine

from leat.actions.decide import NotAllowed, approve_in, refuse_own_money
from leat.actions.propose import digest_of_json
from leat.control.engine import writing
from leat.control.following import chain_ids
from leat.control.outbox import UNDECIDED, ActionRow, read_actions


def chain_of(store: Engine, row: ActionRow) -> list[ActionRow]:
    """Return all steps of the chain that an action belongs to, the first one first; alone, it is its own chain."""
    ids = chain_ids(store, row.id)
    return sorted(read_actions(store, ids=ids), key=lambda each: ids.index(each.id))


def chain_digest(steps: Sequence[ActionRow]) -> str:
    """Return the SHA-256 of the plan of a chain."""
    return digest_of_json([[each.id, each.digest] for each in steps])


def approve_chain(store: Engine, shown: Sequence[ActionRow], by: str, note: str = "") -> list[ActionRow]:
    """Approve the steps of a chain that wait for approval, as they were shown; return them as they were.

    Raises:
        NotAllowed: the chain isn't as it was shown, none of its steps waits, or one moves money that this person
            planned. Nothing is approved then.
    """
    waiting = [each for each in shown if each.state in UNDECIDED]
    if not waiting:
        msg = f"no step of the chain of {shown[0].id[:8]} waits for approval"
        raise NotAllowed(msg)
    for each in waiting:
        refuse_own_money(each, by)
    digest, now = chain_digest(shown), datetime.now(UTC)
    with writing(store, durable=True) as session:
        current = chain_of(store, shown[0])
        if chain_digest(current) != digest:
            msg = f"the chain of {shown[0].id[:8]} isn't as it was shown any more: look at it again"
            raise NotAllowed(msg)
        for each in waiting:
            approve_in(session, store, each, by, note, now, f"with the chain {digest[:12]}")
    return waiting
