"""Sessions of browsers: rows in the control store, by the SHA-256 of an id of 256 random bits.

A session ends after 8 hours without use, and 7 days after the sign-in; a person has at most 20 at a time. Its id
changes at each sign-in and when the role of its person changes, so an id that somebody has planted or seen before is
worth nothing afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.security_tables import AccessSession, Person
from leat.security.people import principal_of, role_of
from leat.security.policy import Policy
from leat.security.principal import Authentication, Principal
from leat.security.sealed import open_sealed, seal
from leat.security.secret_text import hashed, new_secret

IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(days=7)
MOST = 20
"""Sessions of one person at a time: one more ends the one that was used least recently."""
_NOTED = timedelta(minutes=1)  # how precisely the last use is stored: not each request writes


@dataclass(frozen=True, slots=True)
class CurrentSession:
    """A session that is valid.

    Attributes:
        principal: whose it is.
        created_at: when they signed in.
        expires_at: when it ends at the latest.
        must_rotate: whether their role has changed since, so that :func:`rotate_session` is due before the answer.
        until: when it has to be looked up again, if nothing changes: it ends, or its use has to be noted again.
    """

    principal: Principal
    created_at: datetime
    expires_at: datetime
    must_rotate: bool
    until: datetime


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """What the identity provider gave out; stored encrypted with the id of the session, which is stored nowhere.

    Attributes:
        refresh: the refresh token.
        identity: the ID token, which the provider wants to see at sign-out.
    """

    refresh: str | None = None
    identity: str | None = None


def create_session(
    session: Session,
    person: Person,
    authenticated_by: Authentication,
    now: datetime,
    *,
    provider_session: str | None = None,
    tokens: ProviderTokens | None = None,
    replaces: str | None = None,
) -> str:
    """Sign a person in: add a session in a transaction and return its id, which only the cookie may have.

    Args:
        session: of :func:`leat.control.engine.writing`.
        person: who signs in.
        authenticated_by: how they proved who they are.
        now: the time.
        provider_session: id of the session at the provider (``sid``), which its sign-out names.
        tokens: what the provider gave out.
        replaces: id that the browser had before, whoever's it was; that session ends.
    """
    if replaces is not None:
        session.execute(delete(AccessSession).filter_by(id_hash=hashed(replaces)))
    of_person = select(AccessSession).where(AccessSession.person_id == person.id)
    for old in session.scalars(of_person.order_by(AccessSession.used_at.desc()).offset(MOST - 1)).all():
        note(session, "session.ended", {"reason": f"more than {MOST} at a time"}, by=Actor(person.id, person.name),
             now=now)  # fmt: skip
        session.delete(old)
    session_id = new_secret()
    session.add(
        AccessSession(
            id_hash=hashed(session_id),
            person_id=person.id,
            role=person.role or "",
            authenticated_by=authenticated_by,
            created_at=now,
            used_at=now,
            expires_at=now + ABSOLUTE,
            provider_session=provider_session,
            sealed=_seal(session_id, tokens),
        )
    )
    person.signed_in_at = now
    actor = Actor(person.id, person.name)
    note(session, "session.created", {"authenticated_by": authenticated_by, "role": person.role}, by=actor, now=now)
    return session_id


def read_session(
    store: Engine, session_id: str, now: datetime | None = None, policy: Policy | None = None
) -> CurrentSession | None:
    """Return the session with this id and note that it is used; None if there is none or it has ended.

    Args:
        store: the control store.
        session_id: what the cookie has.
        now: the time.
        policy: says which role an account of the machine has now; without it, the one at its sign-in.
    """
    now = now or datetime.now(UTC)
    with Session(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is None or _has_ended(row, now):
            return None
        principal = principal_of(row.person, row.authenticated_by, policy)  # type: ignore[arg-type]
        is_noted, rotate = now - row.used_at < _NOTED, row.role != (principal.role or "")
        until = min(row.expires_at, (row.used_at if is_noted else now) + _NOTED)
        current = CurrentSession(principal, row.created_at, row.expires_at, rotate, until)
        if is_noted:
            return current
    with writing(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is None:  # it was ended meanwhile
            return None
        row.used_at = now
    return current


def rotate_session(
    store: Engine, session_id: str, now: datetime | None = None, policy: Policy | None = None
) -> str | None:
    """Give a session another id and return it; when it ends stays as it was. None if there is no such session."""
    now = now or datetime.now(UTC)
    with writing(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is None or _has_ended(row, now):
            return None
        tokens = _tokens(row, session_id)
        new = new_secret()
        columns = ("person_id", "authenticated_by", "created_at", "expires_at", "provider_session")
        same: dict[str, Any] = {name: getattr(row, name) for name in columns}
        role, actor = role_of(row.person, policy) or "", Actor(row.person.id, row.person.name)
        session.delete(row)
        session.flush()
        session.add(AccessSession(id_hash=hashed(new), role=role, used_at=now, sealed=_seal(new, tokens), **same))
        note(session, "session.rotated", {"role": role}, by=actor, now=now)
    return new


def provider_tokens(store: Engine, session_id: str) -> ProviderTokens:
    """Return what the identity provider gave out for a session."""
    with Session(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        return ProviderTokens() if row is None else _tokens(row, session_id)


def replace_tokens(store: Engine, session_id: str, tokens: ProviderTokens) -> None:
    """Store what the identity provider gave out instead of what a session had."""
    with writing(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is not None:
            row.sealed = _seal(session_id, tokens)


def end_session(store: Engine, session_id: str, reason: str = "signed out", now: datetime | None = None) -> bool:
    """End a session; return whether there was one."""
    with writing(store) as session:
        row = session.get(AccessSession, hashed(session_id))
        if row is None:
            return False
        note(session, "session.ended", {"reason": reason}, by=Actor(row.person.id, row.person.name), now=now)
        session.delete(row)
    return True


def end_all_of(store: Engine, person_id: str, reason: str, now: datetime | None = None) -> int:
    """End all sessions of a person; return how many there were."""
    return _end_where(store, AccessSession.person_id == person_id, reason, now)


def end_provider_session(store: Engine, provider_session: str, reason: str, now: datetime | None = None) -> int:
    """End the sessions that belong to a session at the identity provider; return how many there were."""
    return _end_where(store, AccessSession.provider_session == provider_session, reason, now)


def end_expired(store: Engine, now: datetime | None = None) -> int:
    """Remove the sessions that have ended by themselves; return how many there were."""
    now = now or datetime.now(UTC)
    return _end_where(store, (AccessSession.expires_at <= now) | (AccessSession.used_at <= now - IDLE), "expired", now)


def _end_where(store: Engine, condition: Any, reason: str, now: datetime | None) -> int:
    with writing(store) as session:
        rows = list(session.scalars(select(AccessSession).where(condition)))
        for row in rows:
            note(session, "session.ended", {"reason": reason}, people={"person": Actor(row.person.id, row.person.name)},
                 now=now)  # fmt: skip
            session.delete(row)
    return len(rows)


def _has_ended(row: AccessSession, now: datetime) -> bool:
    return now >= row.expires_at or now - row.used_at >= IDLE or row.person.deactivated_at is not None


def _seal(session_id: str, tokens: ProviderTokens | None) -> bytes | None:
    if tokens is None or not (tokens.refresh or tokens.identity):
        return None
    return seal(session_id, {"refresh": tokens.refresh, "identity": tokens.identity})


def _tokens(row: AccessSession, session_id: str) -> ProviderTokens:
    return ProviderTokens() if row.sealed is None else ProviderTokens(**open_sealed(session_id, row.sealed))
