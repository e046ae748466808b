"""The tables of alerts in the control store: problems, what each channel knows of them, and the messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class AlertProblem(Table):
    """A problem that alerts have noticed: since when, and since when it is gone.

    ``flaps``: how often in a row it came back within a day of having gone.
    """

    __tablename__ = "alert_problem"
    __table_args__ = (Index("ix_alert_problem_gone_at", "gone_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    problem_key: Mapped[str] = mapped_column(String(255), unique=True)
    kind: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(String(50))
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    flaps: Mapped[int]


class AlertNotice(Table):
    """What a channel was last notified of about a problem, ``what``: opened, flapping or recovered."""

    __tablename__ = "alert_notice"
    __table_args__ = (UniqueConstraint("problem_id", "channel", name="uq_alert_notice_problem_id_channel"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    problem_id: Mapped[int] = mapped_column(ForeignKey("alert_problem.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(255))
    what: Mapped[str] = mapped_column(String(50))
    notified_at: Mapped[datetime]
    escalated: Mapped[bool]


class AlertMessage(Table):
    """One message to one channel; ``status``: open, then sent, uncertain, failed, withdrawn or replaced.

    While it is open, the action of the same id has its text and its state. ``news`` is its content: a list of problems,
    each with what happened to it (opened, flapping, reminded, escalated, recovered). ``sent_at``: when it was over.
    """

    __tablename__ = "alert_message"
    __table_args__ = (
        Index("ix_alert_message_status", "status"),
        Index("ix_alert_message_created_at", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(String(50))
    news: Mapped[Any] = mapped_column(JSON, nullable=False)
    status: Mapped[str] = mapped_column(String(50))
    created_at: Mapped[datetime]
    attempts: Mapped[int]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
