"""Adds events to the audit log, in the transaction that they describe; sealing them comes later and takes no lock here.

An event never has values of rows, nor names of people: those are pseudonyms, which :class:`AuditPerson` resolves.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Engine, Text, cast, func, insert, select, text
from sqlalchemy.orm import Session

from leat.control.actor import Actor, current_actor
from leat.control.audit_tables import AuditEvent, AuditKey, AuditPerson
from leat.control.engine import storable, writing


def note(
    session: Session,
    event: str,
    detail: Mapping[str, Any] | None = None,
    *,
    by: Actor | None = None,
    people: Mapping[str, Actor] | None = None,
    now: datetime | None = None,
) -> None:
    """Add an event to the audit log; it is there if and only if the session's transaction is committed.

    Args:
        session: of :func:`leat.control.engine.writing`.
        event: what happened, such as ``token.created``; docs/security.md lists them.
        detail: more about it, which JSON can hold; no values of rows, no names of people, no secrets.
        by: who did it; the current actor when None.
        people: whom it concerns, by the key that their pseudonym gets in the detail.
        now: when it happened.
    """
    key = session.scalars(select(AuditKey.pseudonyms)).one()
    whole = {**(detail or {}), **{name: _pseudonym(session, key, each) for name, each in (people or {}).items()}}
    values: dict[str, Any] = {
        "happened_at": now or datetime.now(UTC),
        "event": event,
        "actor": _pseudonym(session, key, by or current_actor()),
        "detail": canonical(whole),
    }
    if _is_postgres(session):
        values["transaction_id"] = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
    session.execute(insert(AuditEvent).values(**values))


def note_alone(engine: Engine, event: str, detail: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Add an event that no transaction of the control store describes, as :func:`note` does.

    Nothing waits for the disk: the event is lost if the power fails within a second.
    """
    with writing(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("SET LOCAL synchronous_commit = off"))
        note(session, event, detail, **more)


def canonical(value: Any) -> str:
    """Return JSON in the one form that is hashed: sorted keys, no spaces, ASCII."""
    return storable(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False))


def pseudonym_of(session: Session, identity: str) -> str:
    """Return the pseudonym of an identity, whether or not it is in the log."""
    return _hash(session.scalars(select(AuditKey.pseudonyms)).one(), identity)


def _pseudonym(session: Session, key: str, actor: Actor) -> str:
    pseudonym = _hash(key, actor.id)
    if session.scalar(select(AuditPerson.pseudonym).filter_by(pseudonym=pseudonym)) is None:
        values = {"pseudonym": pseudonym, "identity": storable(actor.id)[:255], "name": storable(actor.name)[:255]}
        session.execute(_insert_of(session)(AuditPerson).values(**values).on_conflict_do_nothing())
    return pseudonym


def _insert_of(session: Session) -> Any:
    """Return the INSERT of the engine that can do nothing on a conflict; the other engine takes long to import."""
    if _is_postgres(session):
        from sqlalchemy.dialects.postgresql import insert as of_postgres

        return of_postgres
    from sqlalchemy.dialects.sqlite import insert as of_sqlite

    return of_sqlite


def _hash(key: str, identity: str) -> str:
    return hmac.new(bytes.fromhex(key), identity.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
