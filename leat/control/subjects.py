"""Erasures in the control store: tombstones are made, read and lifted."""

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
from leat.control.subject_key import digest_of, identities_in, key_of
from leat.control.subject_tables import SubjectKey, SubjectRequest, SubjectTombstone
from leat.sources.identity import Identity
from leat.sources.subject import NAME
from leat.sources.tombstones import Tombstones, first_word, may_be_mentioned, scope_of, words_of

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
        key = key_of(session)
        asked = digest_of(key, given)
        running = session.scalar(select(SubjectRequest).filter_by(digest=asked, state="running"))
        every = list(dict.fromkeys([*identities_in(running.identities if running else ()), *identities]))
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
        tombstone = session.get(SubjectTombstone, digest_of(bytes.fromhex(key), given))
        ids = {tombstone.request_id} if tombstone is not None else set()
        asked = (SubjectRequest.digest == digest_of(bytes.fromhex(key), given)) | SubjectRequest.id.in_(ids)
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


def _tombstone(key: bytes, identity: Identity, request: str, now: datetime) -> SubjectTombstone | None:
    """Return the tombstone of an identity; None for a name that isn't distinctive enough to be looked for."""
    kind, integration, value = identity
    mentioned = may_be_mentioned(kind, value)
    if kind == NAME and not mentioned:
        return None
    row = SubjectTombstone(digest=digest_of(key, identity), kind=kind, scope=scope_of(kind, integration))
    row.mentioned, row.request_id, row.created_at = mentioned, request, now
    if kind == NAME:
        row.first_word, row.words = first_word(key, value), len(words_of(value).split())
    return row


def _request(row: SubjectRequest) -> RequestRow:
    state: Any = row.state
    results = identities_in(row.identities)
    return RequestRow(row.id, state, results, row.approved_by, row.created_at, row.ended_at, row.report)
