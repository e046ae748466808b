"""Erasures and legal holds in the control store: tombstones are made, read and lifted."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from leat.control.audit_events import note
from leat.control.engine import storable, writing
from leat.control.store import user_name
from leat.control.subject_tables import SubjectHold, SubjectKey, SubjectRequest, SubjectTombstone
from leat.sources.identity import Identity
from leat.sources.subject import NAME
from leat.sources.tombstones import Tombstones, digest, first_word, may_be_mentioned, scope_of, words_of

_DECLARED = "declared_"
"""So begin the ids of holds that a file declares."""
State = Literal["running", "done", "lifted"]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """An erasure.

    Attributes:
        id: its id.
        state: running, done or lifted.
        identities: of the person, while it runs; then empty.
        approved_by: who ordered it.
        created_at: when.
        ended_at: when it was done; None while it runs.
        report: what was done, by place.
    """

    id: str
    state: State
    identities: tuple[Identity, ...]
    approved_by: str
    created_at: datetime
    ended_at: datetime | None
    report: Any


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


def read_tombstones(engine: Engine) -> Tombstones:
    """Return who is erased."""
    with Session(engine) as session:
        rows = list(session.scalars(select(SubjectTombstone)))
        if not rows:
            return Tombstones(b"")
        key = bytes.fromhex(session.scalars(select(SubjectKey.secret)).one())
    kinds: dict[str, set[str]] = {}
    for row in rows:
        if row.scope:
            kinds.setdefault(row.scope, set()).add(row.kind)
    names = [row for row in rows if row.kind == NAME]
    return Tombstones(
        key,
        kinds={scope: frozenset(each) for scope, each in kinds.items()},
        exact=frozenset(row.digest for row in rows if row.kind != NAME),
        mentioned=frozenset(row.digest for row in rows if row.kind != NAME and row.mentioned),
        names=frozenset(row.digest for row in names),
        firsts=frozenset(str(row.first_word) for row in names),
        lengths=frozenset(int(row.words or 0) for row in names),
    )


def erased_among(engine: Engine, addresses: Iterable[str]) -> list[str]:
    """Return which of some addresses belong to people who were erased."""
    stones = read_tombstones(engine)
    return [each for each in addresses if stones.has("email", "", each)] if stones else []


def begin_erasure(engine: Engine, given: Identity, identities: Sequence[Identity], now: datetime) -> RequestRow:
    """Write the tombstones of a person, so that nothing of them is loaded from now on; return the erasure.

    One that was begun before and isn't done is continued, with the identities that it began with and these.

    Args:
        engine: the control store.
        given: the identity that was asked for.
        identities: all identities of the person.
        now: the time.
    """
    with writing(engine, durable=True) as session:
        key = _key(session)
        asked = _digest(key, given)
        running = session.scalar(select(SubjectRequest).filter_by(digest=asked, state="running"))
        every = list(dict.fromkeys([*_identities(running.identities if running else ()), *identities]))
        if running is None:
            running = SubjectRequest(id=f"erasure_{secrets.token_hex(8)}", digest=asked, state="running")
            running.approved_by, running.created_at = user_name(), now
            session.add(running)
            note(session, "subject.erased", {"erasure": running.id, "identities": len(every)}, now=now)
        running.identities = [list(each) for each in every]
        for each in every:
            row = _tombstone(key, each, running.id, now)
            if row is not None and session.get(SubjectTombstone, row.digest) is None:
                session.add(row)
                session.flush()
        return _request(running)


def end_erasure(engine: Engine, request: str, report: Any, now: datetime) -> None:
    """Note that an erasure is done, and forget whom it was about."""
    with writing(engine, durable=True) as session:
        change = update(SubjectRequest).where(SubjectRequest.id == request)
        session.execute(change.values(state="done", identities=None, ended_at=now, report=report))
        note(session, "subject.erasure_ended", {"erasure": request}, now=now)


def find_requests(engine: Engine, given: Identity) -> list[RequestRow]:
    """Return the erasures of an identity, the newest first."""
    with Session(engine) as session:
        key = session.scalar(select(SubjectKey.secret))
        if key is None:
            return []
        tombstone = session.get(SubjectTombstone, _digest(bytes.fromhex(key), given))
        ids = {tombstone.request_id} if tombstone is not None else set()
        asked = (SubjectRequest.digest == _digest(bytes.fromhex(key), given)) | SubjectRequest.id.in_(ids)
        rows = session.scalars(select(SubjectRequest).where(asked).order_by(SubjectRequest.created_at.desc()))
        return [_request(row) for row in rows]


def lift(engine: Engine, request: str, reason: str, now: datetime) -> int:
    """Lift the tombstones of an erasure: the next complete listing loads the person again. Returns how many there were.

    Args:
        engine: the control store.
        request: id of the erasure.
        reason: why; it is in the audit log.
        now: the time.
    """
    with writing(engine, durable=True) as session:
        gone: Any = session.execute(delete(SubjectTombstone).where(SubjectTombstone.request_id == request))
        session.execute(update(SubjectRequest).where(SubjectRequest.id == request).values(state="lifted"))
        if gone.rowcount:
            note(session, "subject.lifted", {"erasure": request, "reason": storable(reason)}, now=now)
        return int(gone.rowcount)


def place_hold(engine: Engine, given: Identity, identities: Sequence[Identity], reason: str, now: datetime) -> str:
    """Put a person's data on hold; returns the id of the hold."""
    with writing(engine, durable=True) as session:
        key = _key(session)
        row = SubjectHold(id=f"hold_{secrets.token_hex(8)}", digest=_digest(key, given), reason=storable(reason))
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
            secret = _key(session) if key is None else bytes.fromhex(key)
        wanted = {_DECLARED + _digest(secret, each.identities[0]): each for each in declared}
    same = all(
        id in stored and set(each.identities) <= set(_identities(stored[id].identities))
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
    every = dict.fromkeys((*_identities(row.identities), *declared.identities))
    row.identities, row.reason, row.placed_by = [list(each) for each in every], reason, declared.place


def _release(session: Session, row: SubjectHold, now: datetime) -> None:
    row.released_at, row.identities = now, None
    note(session, "subject.released", {"hold": row.id}, now=now)


def release_hold(engine: Engine, given: Identity, now: datetime) -> int:
    """End the holds of a person that commands have placed; returns how many there were."""
    with writing(engine, durable=True) as session:
        rows = [row for row in session.scalars(_held()) if not row.id.startswith(_DECLARED)]
        holds = [row for row in rows if given in _identities(row.identities)]
        for row in holds:
            _release(session, row, now)
        return len(holds)


def read_holds(engine: Engine) -> list[HoldRow]:
    """Return the holds that aren't released."""
    with Session(engine) as session:
        return [
            HoldRow(row.id, _identities(row.identities), row.reason, row.placed_by, row.placed_at)
            for row in session.scalars(_held())
        ]


def _held() -> Any:
    return select(SubjectHold).where(SubjectHold.released_at.is_(None)).order_by(SubjectHold.placed_at)


def _key(session: Session) -> bytes:
    secret = session.scalar(select(SubjectKey.secret))
    if secret is None:
        secret = secrets.token_hex(32)
        session.add(SubjectKey(id=1, secret=secret))
        session.flush()
    return bytes.fromhex(secret)


def _digest(key: bytes, identity: Identity) -> str:
    kind, integration, value = identity
    return digest(key, kind, scope_of(kind, integration), value)


def _tombstone(key: bytes, identity: Identity, request: str, now: datetime) -> SubjectTombstone | None:
    """Return the tombstone of an identity; None for a name that isn't distinctive enough to be looked for."""
    kind, integration, value = identity
    mentioned = may_be_mentioned(kind, value)
    if kind == NAME and not mentioned:
        return None
    row = SubjectTombstone(digest=_digest(key, identity), kind=kind, scope=scope_of(kind, integration))
    row.mentioned, row.request_id, row.created_at = mentioned, request, now
    if kind == NAME:
        row.first_word, row.words = first_word(key, value), len(words_of(value).split())
    return row


def _identities(value: Iterable[Sequence[str]] | None) -> tuple[Identity, ...]:
    return tuple((kind, integration, text) for kind, integration, text in value or ())


def _request(row: SubjectRequest) -> RequestRow:
    state: Any = row.state
    results = _identities(row.identities)
    return RequestRow(row.id, state, results, row.approved_by, row.created_at, row.ended_at, row.report)
