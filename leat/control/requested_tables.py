"""The tables of runs that somebody asked `leat serve` for, in the control store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class RequestedRun(Table):
    """A run that was asked for; ``state`` is one of :data:`leat.control.requested_runs.State`.

    While it is running, ``holder`` carries it out, with the right to do so until ``expires_at``. ``claims`` counts who
    has begun it so far.
    """

    __tablename__ = "requested_run"
    __table_args__ = (Index("ix_requested_run_state", "state"), Index("ix_requested_run_ended_at", "ended_at"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    integrations: Mapped[Any] = mapped_column(JSON, nullable=False)
    requested_by: Mapped[str] = mapped_column(String(255))
    requested_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(50))
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    holder: Mapped[str | None] = mapped_column(String(300))
    expires_at: Mapped[datetime | None]
    claims: Mapped[int]
    full_refresh: Mapped[bool] = mapped_column(server_default=false())


class RequestedRunEvent(Table):
    """One thing that happened in a requested run: ``data`` is JSON, and ``number`` counts from 1."""

    __tablename__ = "requested_run_event"

    run_id: Mapped[str] = mapped_column(ForeignKey("requested_run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[str] = mapped_column(Text)
