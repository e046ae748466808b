"""Verifies the audit log: whether events were altered, its end was cut off, or it was written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from leat.security.audit.chain import FIRST, hash_of, sealed_events
from leat.security.audit.checkpoints import Checkpoint

Finding = Literal["intact", "altered", "truncated", "forked"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    Attributes:
        finding: intact; altered: an event isn't as it was sealed, or one is missing or in another place; truncated: the
            log ends before a checkpoint; forked: it is consistent, but isn't the log that a checkpoint was made of.
        seq: number of the event where that shows; of the last one when intact.
        text: the finding in words.
        events: how many sealed events there are.
        checkpoints: how many checkpoints were compared.
    """

    finding: Finding
    seq: int
    text: str
    events: int
    checkpoints: int


def verify(engine: Engine | Connection, checkpoints: Sequence[Checkpoint] = ()) -> Verdict:
    """Go through the whole chain and compare it with checkpoints.

    Args:
        engine: the control store, or a connection to it; nothing is written.
        checkpoints: of one log, whose signatures have been verified.
    """
    roots = {each.seq: each.root for each in checkpoints}
    events, previous, forked = 0, FIRST, None
    with Session(engine) as session:
        for event in sealed_events(session):
            if event.seq != events + 1:
                return _altered(events, len(roots), _misplaced(events + 1, event.seq))
            if event.previous != previous:
                return _altered(events, len(roots), f"event {event.seq} doesn't follow the event before it")
            digest = hash_of(event, event.seq, previous)
            if event.hash != digest:
                return _altered(events, len(roots), f"event {event.seq} isn't as it was sealed")
            events, previous = events + 1, digest
            if forked is None and roots.get(events, digest) != digest:
                forked = events
    if forked is not None:
        text = f"event {forked} has another hash than in the checkpoint, so the log was written again"
        return Verdict("forked", forked, text, events, len(roots))
    missing = max(roots, default=0)
    if missing > events:
        text = f"the log ends with event {events}, and the checkpoint was made at event {missing}"
        return Verdict("truncated", events, text, events, len(roots))
    return Verdict("intact", events, f"{events} events are as they were sealed", events, len(roots))


def _altered(events: int, checkpoints: int, text: str) -> Verdict:
    return Verdict("altered", events + 1, text, events, checkpoints)


def _misplaced(expected: int, seq: int | None) -> str:
    if seq is not None and seq > expected:
        last = seq - 1
        return f"event {expected} is missing" if last == expected else f"events {expected} to {last} are missing"
    return f"event {seq} is there twice"
