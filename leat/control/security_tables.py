"""The tables of access in the control store: people, their sessions and tokens, sign-ins under way, and one-time links.

What would let somebody in is stored as its SHA-256 only. It has 256 random bits, so a slow hash would protect nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leat.control.tables import Table


class Person(Table):
    """Somebody who has signed in, or a local account that has a token.

    ``issuer`` is that of the identity provider, or ``local``; ``subject`` is their identity there. ``name`` is theirs
    for good, because actions record it: another person of the same name gets a number. ``role_from`` names the groups
    that gave the role.
    """

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="uq_person_issuer_subject"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255), unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str | None] = mapped_column(String(50))
    role_from: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    deactivated_at: Mapped[datetime | None]


class AccessSession(Table):
    """A session of a browser, by the SHA-256 of its id; ``sealed`` has tokens of the provider, encrypted."""

    __tablename__ = "access_session"
    __table_args__ = (
        Index("ix_access_session_person_id", "person_id"),
        Index("ix_access_session_provider_session", "provider_session"),
    )

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(50))
    authenticated_by: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    provider_session: Mapped[str | None] = mapped_column(String(255))
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class ApiToken(Table):
    """A token for programs, by the SHA-256 of its secret; ``scopes`` are verbs, none for all of its role."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_person_id", "person_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(50))
    scopes: Mapped[Any] = mapped_column(JSON, nullable=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class SignIn(Table):
    """A sign-in under way, by the SHA-256 of the browser's cookie."""

    __tablename__ = "sign_in"
    __table_args__ = (Index("ix_sign_in_expires_at", "expires_at"),)

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(255))
    nonce: Mapped[str] = mapped_column(String(255))
    verifier: Mapped[str] = mapped_column(String(255))
    redirect: Mapped[str] = mapped_column(Text)
    return_to: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]


class SpentOnce(Table):
    """What may be used once: a one-time link until then, the id of a logout token from then on."""

    __tablename__ = "spent_once"
    __table_args__ = (Index("ix_spent_once_expires_at", "expires_at"),)

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime]
    spent_at: Mapped[datetime | None]
