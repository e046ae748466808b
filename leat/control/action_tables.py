"""The tables of actions in the control store: what is to be done, was done, approved and tried, and who may send."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class Action(Table):
    """One action: one effect on one system. The states are those of :data:`leat.control.outbox.State`.

    ``id`` is made of ``dedupe_key``: what is planned again, be it by a control store that was restored, is the same.
    ``fence`` is that of the lease under which it was sent last, ``next_at`` when it is looked at next.
    """

    __tablename__ = "action"
    __table_args__ = (
        Index("ix_action_state_next_at", "state", "next_at"),
        Index("ix_action_integration_state", "integration", "state"),
        Index("ix_action_created_at", "created_at"),
        Index("ix_action_subject", "subject"),
        Index("ix_action_automation_created_at", "automation", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(255), unique=True)
    integration: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(255))
    guarantee: Mapped[str] = mapped_column(String(50))
    money: Mapped[bool]
    title: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    parameters: Mapped[Any] = mapped_column(JSON, nullable=False)
    plan: Mapped[Any] = mapped_column(JSON, nullable=False)
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))
    updated_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    next_at: Mapped[datetime]
    attempts: Mapped[int]
    sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    fence: Mapped[int | None] = mapped_column(BigInteger)
    receipt: Mapped[Any] = mapped_column(JSON, nullable=True)
    automation: Mapped[str | None] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(String(255))
    subject_opened_at: Mapped[datetime | None]
    undo_of: Mapped[str | None] = mapped_column(ForeignKey("action.id"))
    after_id: Mapped[str | None] = mapped_column(ForeignKey("action.id"))
    conditions: Mapped[Any] = mapped_column(JSON, nullable=True)


class ActionAttempt(Table):
    """One time that an action was sent; ``outcome`` is null while nobody knows."""

    __tablename__ = "action_attempt"
    __table_args__ = (
        UniqueConstraint("action_id", "number", name="uq_action_attempt_action_id_number"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    action_id: Mapped[str] = mapped_column(ForeignKey("action.id", ondelete="CASCADE"))
    number: Mapped[int]
    fence: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(50))
    error_type: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)


class ActionApproval(Table):
    """What a person decided of an action: ``decision`` is approved or rejected. It binds to the digest of the plan."""

    __tablename__ = "action_approval"
    __table_args__ = (Index("ix_action_approval_action_id", "action_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    action_id: Mapped[str] = mapped_column(ForeignKey("action.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(50))
    decided_by: Mapped[str] = mapped_column(String(255))
    decided_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text)


class ActionEvent(Table):
    """A change of an action's state; rows are only ever added."""

    __tablename__ = "action_event"
    __table_args__ = (Index("ix_action_event_action_id", "action_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    action_id: Mapped[str] = mapped_column(ForeignKey("action.id", ondelete="CASCADE"))
    changed_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(50))
    changed_by: Mapped[str] = mapped_column(String(255))
    detail: Mapped[str] = mapped_column(Text)


class ActionBody(Table):
    """Bytes that actions send, by their SHA-256."""

    __tablename__ = "action_body"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ActionLease(Table):
    """The right to send the actions of an integration.

    ``fence`` grows each time that somebody takes it, ``claims`` each time that its holder is about to send. A file
    outside the store has the claims too, so that a store which was restored from a backup is recognised.
    """

    __tablename__ = "action_lease"

    integration: Mapped[str] = mapped_column(String(255), primary_key=True)
    fence: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(BigInteger)


class ActionStop(Table):
    """A kill switch: while a row is there, nothing of its scope is sent; ``*`` is everything."""

    __tablename__ = "action_stop"

    scope: Mapped[str] = mapped_column(String(255), primary_key=True)
    stopped_by: Mapped[str] = mapped_column(String(255))
    stopped_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text)
