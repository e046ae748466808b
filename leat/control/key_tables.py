"""The tables of keys and secrets in the control store; what is in them is encrypted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class DataKeyRow(Table):
    """A data key, wrapped under the key-encryption key that ``kek`` identifies.

    ``state``: ``current`` encrypts, ``old`` only decrypts, ``retired`` has no ``wrapped`` any more, so that nobody can
    decrypt with it. ``subject``: of a key of one person, who; else empty.
    """

    __tablename__ = "data_key"
    __table_args__ = (Index("ix_data_key_purpose", "purpose", "subject", "state"),)

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(50))
    kek: Mapped[str] = mapped_column(String(255))
    wrapped: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class PersonKey(Table):
    """The key of one identity of a person, encrypted with the data key ``wrapped_by``.

    ``digest`` is the keyed hash of the identity. Of a destroyed key only ``kid`` is left, so that a value that nobody
    can decrypt any more isn't taken for one whose key is missing.
    """

    __tablename__ = "person_key"
    __table_args__ = (Index("ix_person_key_digest", "digest"), Index("ix_person_key_wrapped_by", "wrapped_by"))

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    wrapped_by: Mapped[str | None] = mapped_column(ForeignKey("data_key.kid"))
    wrapped: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class StoredSecret(Table):
    """A secret by its name, encrypted with the data key ``kid``; those that leat made itself begin with ``@``."""

    __tablename__ = "stored_secret"
    __table_args__ = (Index("ix_stored_secret_kid", "kid"),)

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(50))
    kid: Mapped[str] = mapped_column(ForeignKey("data_key.kid"))
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))
