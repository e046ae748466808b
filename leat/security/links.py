"""One-time links: how somebody on the machine signs in to ``leat serve`` where there is no identity provider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, update

from leat.control.actor import Actor
from leat.control.audit_events import note
from leat.control.engine import writing
from leat.control.security_tables import SpentOnce
from leat.security.people import LOCAL, Identity, save_person
from leat.security.principal import Principal, Role
from leat.security.secret_text import hashed, new_secret
from leat.security.sessions import create_session

VALID = timedelta(minutes=10)
_KIND = "link"


def make_link(store: Engine, owner: Principal, now: datetime | None = None) -> str:
    """Return the secret of a link that signs a local account in once, within ten minutes.

    Args:
        store: the control store.
        owner: the local principal; whoever opens the link is signed in as them.
        now: the time.
    """
    now = now or datetime.now(UTC)
    secret = new_secret()
    with writing(store) as session:
        session.execute(delete(SpentOnce).where(SpentOnce.expires_at <= now))
        save_person(session, Identity(LOCAL, owner.name, owner.name), owner.role, now)
        session.add(SpentOnce(id_hash=hashed(secret), kind=_KIND, subject=owner.name, expires_at=now + VALID))
        note(session, "link.made", by=owner.actor, now=now)
    return secret


def redeem_link(store: Engine, secret: str, role: Role, now: datetime | None = None, *,
                replaces: str | None = None) -> str | None:  # fmt: skip
    """Return the id of a new session for the secret of a link; None if it was used, has expired, or never was.

    Of several that redeem it at the same time, one gets a session.

    Args:
        store: the control store.
        secret: what the link had.
        role: the role of the local account.
        now: the time.
        replaces: id of the session that the browser had before.
    """
    now = now or datetime.now(UTC)
    with writing(store) as session:
        unused = update(SpentOnce).where(SpentOnce.id_hash == hashed(secret), SpentOnce.kind == _KIND,
                                         SpentOnce.spent_at.is_(None), SpentOnce.expires_at > now)  # fmt: skip
        result: Any = session.execute(unused.values(spent_at=now).returning(SpentOnce.subject))
        name = result.scalar()
        if name is None:
            note(session, "sign_in.failed", {"authenticated_by": "link"}, by=Actor("unknown", "unknown"), now=now)
            return None
        person = save_person(session, Identity(LOCAL, name, name), role, now)
        return create_session(session, person, "link", now, replaces=replaces)
