"""The sessions that are open, for whoever looks after them: a list, and ending one of another browser."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.security_tables import AccessSession
from leat.security.principal import Principal
from leat.security.secret_text import hashed
from leat.security.sessions import IDLE

_SHOWN = 24
"""Hexadecimal digits of the stored hash that name a session: enough to distinguish it, and of no use to sign in."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session, without what would let somebody use it.

    Attributes:
        id: names it in lists.
        person: id of the person.
        name: their name.
        authenticated_by: how they signed in.
        created_at: when they signed in.
        used_at: when it was last used, to the minute.
        ends_at: when it ends if it isn't used again.
    """

    id: str
    person: str
    name: str
    authenticated_by: str
    created_at: datetime
    used_at: datetime
    ends_at: datetime


def list_sessions(store: Engine, person: str | None = None, now: datetime | None = None) -> list[OpenSession]:
    """Return the open sessions, the last used first; those of one person, or of everybody when None."""
    now = now or datetime.now(UTC)
    wanted = select(AccessSession).where(AccessSession.expires_at > now, AccessSession.used_at > now - IDLE)
    if person is not None:
        wanted = wanted.filter_by(person_id=person)
    with Session(store) as session:
        rows = session.scalars(wanted.order_by(AccessSession.used_at.desc(), AccessSession.id_hash))
        return [
            OpenSession(row.id_hash[:_SHOWN], row.person_id, row.person.name, row.authenticated_by, row.created_at,
                        row.used_at, min(row.expires_at, row.used_at + IDLE))
            for row in rows if row.person.deactivated_at is None
        ]  # fmt: skip


def shown_id(session_id: str) -> str:
    """Return what lists call the session whose id a cookie has."""
    return hashed(session_id)[:_SHOWN]


def reason_of(person: str, by: Principal) -> str:
    """Return why a session of a person ends, for the audit log."""
    return "ended on another page" if person == by.person else "ended by an administrator"


def end_open_session(store: Engine, shown: str, by: Principal, now: datetime | None = None) -> bool:
    """End a session; return whether there was one. The caller has asked whether ``by`` may.

    Args:
        store: the control store.
        shown: what lists call it.
        by: who ends it.
        now: the time.
    """
    if len(shown) != _SHOWN:
        return False
    with writing(store) as session:
        row = session.scalar(select(AccessSession).where(AccessSession.id_hash.startswith(shown, autoescape=True)))
        if row is None:
            return False
        note(session, "session.ended", {"reason": reason_of(row.person_id, by)}, by=by.actor,
             people={"person": Actor(row.person.id, row.person.name)}, now=now)  # fmt: skip
        session.delete(row)
    return True
