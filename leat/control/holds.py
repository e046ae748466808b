"""Legal holds in the control store: people who aren't erased, and whose rows retention leaves."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.audit_events import note
from leat.control.engine import storable, writing
from leat.control.store import user_name
from leat.control.subject_key import digest_of, identities_in, key_of
from leat.control.subject_tables import SubjectHold, SubjectKey
from leat.sources.identity import Identity

_DECLARED = "declared_"
"""So begin the ids of holds that a file declares."""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A legal hold that isn't released: whose identities, why, who placed it, when."""

    id: str
    identities: tuple[Identity, ...]
    reason: str
    placed_by: str
    placed_at: datetime

    @property
    def declared(self) -> bool:
        """Whether a file declares it, whose place ``placed_by`` is then."""
        return self.id.startswith(_DECLARED)


@dataclass(frozen=True, slots=True)
class DeclaredHold:
    """A legal hold that a file declares: where, whose identities, the given one first, and why."""

    place: str
    identities: Sequence[Identity]
    reason: str


def place_hold(engine: Engine, given: Identity, identities: Sequence[Identity], reason: str, now: datetime) -> str:
    """Put a person's data on hold; returns the id of the hold."""
    with writing(engine, durable=True) as session:
        key = key_of(session)
        row = SubjectHold(id=f"hold_{secrets.token_hex(8)}", digest=digest_of(key, given), reason=storable(reason))
        row.identities, row.placed_by, row.placed_at = [list(each) for each in identities], user_name(), now
        session.add(row)
        note(session, "subject.held", {"hold": row.id, "reason": storable(reason)}, now=now)
        return row.id


def declare_holds(engine: Engine, declared: Iterable[DeclaredHold], now: datetime) -> None:
    """Let the holds that files declare be the ones that are stored: new ones begin, those that are gone end.

    An identity that was linked to the person once stays on hold, also when no row links it any more.
    """
    with Session(engine) as session:
        key = session.scalar(select(SubjectKey.secret))
        stored = {row.id: row for row in session.scalars(_held()) if row.id.startswith(_DECLARED)}
        session.expunge_all()
    wanted = {}
    if declared := list(declared):
        with writing(engine, durable=True) as session:
            secret = key_of(session) if key is None else bytes.fromhex(key)
        wanted = {_DECLARED + digest_of(secret, each.identities[0]): each for each in declared}
    same = all(
        id in stored and set(each.identities) <= set(identities_in(stored[id].identities))
        and (stored[id].reason, stored[id].placed_by) == (storable(each.reason), each.place)
        for id, each in wanted.items()
    )  # fmt: skip
    if same and stored.keys() <= wanted.keys():
        return
    with writing(engine, durable=True) as session:
        for id in stored.keys() - wanted.keys():
            _release(session, session.get_one(SubjectHold, id), now)
        for id, each in wanted.items():
            _declare(session, id, each, now)


def _declare(session: Session, id: str, declared: DeclaredHold, now: datetime) -> None:
    row = session.get(SubjectHold, id)
    if row is None:
        row = SubjectHold(id=id, digest=id.removeprefix(_DECLARED), placed_at=now, identities=None)
        session.add(row)
    reason = storable(declared.reason)
    if row.identities is None:
        row.released_at, row.placed_at = None, now
        note(session, "subject.held", {"hold": id, "reason": reason}, now=now)
    every = dict.fromkeys((*identities_in(row.identities), *declared.identities))
    row.identities, row.reason, row.placed_by = [list(each) for each in every], reason, declared.place


def _release(session: Session, row: SubjectHold, now: datetime) -> None:
    row.released_at, row.identities = now, None
    note(session, "subject.released", {"hold": row.id}, now=now)


def release_hold(engine: Engine, given: Identity, now: datetime) -> int:
    """End the holds of a person that commands have placed; returns how many there were."""
    with writing(engine, durable=True) as session:
        rows = [row for row in session.scalars(_held()) if not row.id.startswith(_DECLARED)]
        holds = [row for row in rows if given in identities_in(row.identities)]
        for row in holds:
            _release(session, row, now)
        return len(holds)


def read_holds(engine: Engine) -> list[HoldRow]:
    """Return the holds that aren't released."""
    with Session(engine) as session:
        return [
            HoldRow(row.id, identities_in(row.identities), row.reason, row.placed_by, row.placed_at)
            for row in session.scalars(_held())
        ]


def _held() -> Any:
    return select(SubjectHold).where(SubjectHold.released_at.is_(None)).order_by(SubjectHold.placed_at)
