"""The chain of the audit log: each sealed event has a number, the hash of the one before, and its own hash.

Events are added without a lock, in the transactions that they describe. Sealing comes after: one process at a time
takes the committed events in their order and links them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, bindparam, func, select, text, update
from sqlalchemy.orm import Session

from leat.control.audit_events import canonical, note, pseudonym_of
from leat.control.audit_tables import AuditEvent, AuditPerson
from leat.control.engine import writing
from leat.warehouse.locks import advisory_key

FIRST = "0" * 64
"""What the first event has for the hash of the one before."""
_BATCH = 5000
_LOCK = advisory_key("audit")


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log; ``seq``, ``previous`` and ``hash`` are None until it is sealed."""

    id: int
    happened_at: datetime
    event: str
    actor: str
    detail: str
    seq: int | None
    previous: str | None
    hash: str | None

    @property
    def values(self) -> dict[str, Any]:
        """The detail as it was given."""
        return dict(json.loads(self.detail))


_COLUMNS = tuple(getattr(AuditEvent, name) for name in Event.__slots__)


def hash_of(event: Event, seq: int, previous: str) -> str:
    """Return the hash of an event in its place: SHA-256 of canonical JSON over everything that it says."""
    at = event.happened_at.astimezone(UTC).isoformat(timespec="microseconds")
    whole = canonical([seq, previous, event.id, at, event.event, event.actor, event.detail])
    return hashlib.sha256(whole.encode()).hexdigest()


def seal(engine: Engine) -> int:
    """Link the events that are committed and not sealed yet; return how many.

    On Postgres, an event waits while a transaction that began before its own is still open, so the order is that of the
    transactions. The database need not flush this to the disk: what is lost is sealed again.
    """
    with Session(engine) as session:
        if session.scalar(select(AuditEvent.id).where(AuditEvent.seq.is_(None)).limit(1)) is None:
            return 0
    sealed = 0
    while batch := _seal_batch(engine):
        sealed += batch
        if batch < _BATCH:
            break
    return sealed


def _seal_batch(engine: Engine) -> int:
    with writing(engine) as session:
        wanted = select(*_COLUMNS).where(AuditEvent.seq.is_(None))
        if engine.dialect.name == "postgresql":
            session.execute(text("SET LOCAL synchronous_commit = off"))
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            oldest_open = text("audit_event.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            wanted = wanted.where(oldest_open).order_by(AuditEvent.transaction_id, AuditEvent.id)
        else:
            wanted = wanted.order_by(AuditEvent.id)
        events = [Event(*row) for row in session.execute(wanted.limit(_BATCH))]
        if not events:
            return 0
        seq, previous = last_sealed(session)
        values = []
        for event in events:
            seq += 1
            digest = hash_of(event, seq, previous)
            values.append({"row": event.id, "number": seq, "before": previous, "digest": digest})
            previous = digest
        link = update(AuditEvent).where(AuditEvent.id == bindparam("row"), AuditEvent.seq.is_(None))
        link = link.values(seq=bindparam("number"), previous=bindparam("before"), hash=bindparam("digest"))
        session.connection().execute(link, values)
        return len(events)


def last_sealed(session: Session) -> tuple[int, str]:
    """Return number and hash of the last sealed event; 0 and :data:`FIRST` when there is none."""
    wanted = select(AuditEvent.seq, AuditEvent.hash).where(AuditEvent.seq.is_not(None))
    row = session.execute(wanted.order_by(AuditEvent.seq.desc()).limit(1)).first()
    return (0, FIRST) if row is None else (row[0], row[1])


def sealed_events(session: Session, after: int = 0) -> Iterator[Event]:
    """Yield the sealed events behind a number, by their number."""
    behind = AuditEvent.seq > after if after else AuditEvent.seq.is_not(None)
    wanted = select(*_COLUMNS).where(behind).order_by(AuditEvent.seq, AuditEvent.id)
    for row in session.execute(wanted.execution_options(yield_per=1000)):
        yield Event(*row)


def unsealed_since(engine: Engine) -> tuple[int, timedelta]:
    """Return how many events aren't sealed, and how old the oldest is: more than a minute means that nothing seals."""
    wanted = select(func.count(), func.min(AuditEvent.happened_at)).where(AuditEvent.seq.is_(None))
    with Session(engine) as session:
        count, oldest = session.execute(wanted).one()
    if oldest is None:
        return 0, timedelta()
    oldest = oldest if oldest.tzinfo else oldest.replace(tzinfo=UTC)
    return count, datetime.now(UTC) - oldest


@dataclass(frozen=True, slots=True)
class Listed:
    """An event for people: with names where they are still stored, and pseudonyms where not."""

    seq: int | None
    at: datetime
    event: str
    by: str
    actor: str
    detail: dict[str, Any]


def list_events(
    engine: Engine,
    *,
    limit: int | None = 50,
    event: str | None = None,
    before: int | None = None,
    since: datetime | None = None,
    by: str | None = None,
) -> list[Listed]:
    """Return events, the newest first.

    Args:
        engine: the control store.
        limit: at most so many; all when None.
        event: only this event, or those that begin so: ``token.`` for all of tokens.
        before: only those with a smaller number, to continue a list.
        since: only those from then on.
        by: only those of whoever has this name, or pseudonym.
    """
    wanted = select(*_COLUMNS).order_by(AuditEvent.id.desc())
    conditions = [
        *([AuditEvent.event.startswith(event, autoescape=True)] if event else []),
        *([AuditEvent.seq < before] if before is not None else []),
        *([AuditEvent.happened_at >= since] if since is not None else []),
        *(
            [AuditEvent.actor.in_(select(AuditPerson.pseudonym).filter_by(name=by)) | (AuditEvent.actor == by)]
            if by is not None
            else []
        ),
    ]
    if conditions:
        wanted = wanted.where(and_(*conditions))
    with Session(engine) as session:
        events = [Event(*row) for row in session.execute(wanted.limit(limit))]
        names = dict(session.execute(select(AuditPerson.pseudonym, AuditPerson.name)).tuples().all())
    return [
        Listed(each.seq, each.happened_at, each.event, names.get(each.actor, each.actor), each.actor,
               {key: names.get(value, value) if isinstance(value, str) else value
                for key, value in each.values.items()})
        for each in events
    ]  # fmt: skip


def forget(engine: Engine, identity: str) -> bool:
    """Remove the name behind a person's pseudonym; return whether it was there. The chain remains valid."""
    with writing(engine) as session:
        row = session.get(AuditPerson, pseudonym_of(session, identity))
        if row is None:
            return False
        session.delete(row)
        note(session, "audit.forgotten", {"pseudonym": row.pseudonym})
    return True
