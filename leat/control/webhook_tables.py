"""The tables of webhooks that leat sends: the endpoints, and the messages to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class WebhookEndpoint(Table):
    """How an endpoint is: since when it gets what happens, up to when it has been given it, and whether it fails.

    ``failures``: how many attempts have failed in a row. ``paused_until``: when it is tried again.
    ``disabled_at``: since when it gets nothing, because it said that it is gone. ``error``: why the last attempt
    failed. ``paused_by``, ``paused_at``: who has paused it, until somebody enables it.
    """

    __tablename__ = "webhook_endpoint"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    since: Mapped[datetime]
    watermark: Mapped[datetime]
    failures: Mapped[int]
    paused_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    paused_by: Mapped[str | None] = mapped_column(String(255))
    paused_at: Mapped[datetime | None]


class WebhookMessage(Table):
    """One message to one endpoint; ``status``: open, then sent or failed.

    While it is open, the action ``action_id`` has its state. ``id`` is what the endpoint sees as ``webhook-id``; it
    stays the same when the message is sent again. ``attempt_log`` has the attempts of actions that are over.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (
        Index("ix_webhook_message_status", "status"),
        Index("ix_webhook_message_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(255))
    event_type: Mapped[str] = mapped_column(String(50))
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(50))
    action_id: Mapped[str] = mapped_column(String(26))
    created_at: Mapped[datetime]
    attempts: Mapped[int]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    attempt_log: Mapped[Any] = mapped_column(JSON, nullable=True)
