"""The tables of the audit log in the control store: events, the people behind their pseudonyms, the key of those."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class AuditEvent(Table):
    """One event. ``seq``, ``previous`` and ``hash`` are null until it is sealed: linked to the event before.

    ``actor`` is a pseudonym, ``detail`` JSON in its canonical form, ``transaction_id`` that of Postgres.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_happened_at", "happened_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    happened_at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(100))
    actor: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    transaction_id: Mapped[int | None] = mapped_column(BigInteger)
    seq: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    previous: Mapped[str | None] = mapped_column(String(64))
    hash: Mapped[str | None] = mapped_column(String(64))


class AuditSent(Table):
    """How far the log was sent to another system: the number of the last event that the system has accepted."""

    __tablename__ = "audit_sent"

    destination: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[datetime]


class AuditPerson(Table):
    """The person behind a pseudonym. Without this row the events remain, but no longer name anybody."""

    __tablename__ = "audit_person"

    pseudonym: Mapped[str] = mapped_column(String(64), primary_key=True)
    identity: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))


class AuditKey(Table):
    """The key of the hash that makes pseudonyms; one row, which the migration makes."""

    __tablename__ = "audit_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonyms: Mapped[str] = mapped_column(String(64))
