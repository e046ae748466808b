"""The tables of automations in the control store: which may act, and what their runs planned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class Automation(Table):
    """Whether an automation may act: ``mode`` is simulate, enabled or disabled.

    ``digest`` is of the file that was simulated or enabled. ``since`` is when it was enabled; ``baseline`` has hashes
    of the rows that were there then and so aren't new.
    """

    __tablename__ = "automation"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    mode: Mapped[str] = mapped_column(String(50))
    digest: Mapped[str] = mapped_column(String(64))
    changed_by: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[datetime]
    since: Mapped[datetime | None]
    baseline: Mapped[Any] = mapped_column(JSON, nullable=True)


class AutomationRun(Table):
    """One planning of an automation that had something to say. In simulate mode, the numbers are what would be.

    ``version`` is the newest load in the version of the warehouse that it read.
    """

    __tablename__ = "automation_run"
    __table_args__ = (Index("ix_automation_run_automation_id", "automation", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    automation: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    mode: Mapped[str] = mapped_column(String(50))
    version: Mapped[str | None] = mapped_column(String(255))
    planned_at: Mapped[datetime]
    targets: Mapped[int]
    planned: Mapped[int]
    approved: Mapped[int]
    held: Mapped[int]
    expired: Mapped[int]
    refused: Mapped[int]
    verdicts: Mapped[Any] = mapped_column(JSON, nullable=False)
