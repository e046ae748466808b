"""The tables of data protection in the control store: who is erased, by keyed hashes, and whose data is on hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class SubjectKey(Table):
    """The key of the hashes by which erased people are recognised; one row, made when it is first needed."""

    __tablename__ = "subject_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[str] = mapped_column(String(64))


class SubjectTombstone(Table):
    """An identity that is erased. What identifies the person isn't here, only its keyed hash.

    ``scope`` is the integration that an identity belongs to; empty for addresses, logins and names. ``mentioned`` says
    whether texts are searched for it. Of a name there are the hash of its first word and how many words it has.
    """

    __tablename__ = "subject_tombstone"
    __table_args__ = (Index("ix_subject_tombstone_request_id", "request_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    scope: Mapped[str] = mapped_column(String(255))
    mentioned: Mapped[bool]
    first_word: Mapped[str | None] = mapped_column(String(64))
    words: Mapped[int | None]
    request_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class SubjectRequest(Table):
    """One erasure; ``state`` is running, done or lifted.

    ``digest`` is that of the address that was given. ``identities`` has the person's identities while the erasure runs,
    so that it can be continued, and is null from its end on.
    """

    __tablename__ = "subject_request"
    __table_args__ = (Index("ix_subject_request_digest", "digest"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(50))
    identities: Mapped[Any] = mapped_column(JSON, nullable=True)
    approved_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    report: Mapped[Any] = mapped_column(JSON, nullable=True)


class SubjectHold(Table):
    """A legal hold: while it isn't released, the person isn't erased, and retention leaves their rows.

    ``identities`` is null once it is released.
    """

    __tablename__ = "subject_hold"
    __table_args__ = (Index("ix_subject_hold_digest", "digest"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    identities: Mapped[Any] = mapped_column(JSON, nullable=True)
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(255))
    placed_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
