"""The tables of rates that machines share, in the control store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class RateBudget(Table):
    """What everybody who uses a credential may still send, as JSON; its name is a keyed hash."""

    __tablename__ = "rate_budget"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(Text)


class RequestBucket(Table):
    """What a caller may still ask of all servers, or how often an address may still fail; its name is a keyed hash."""

    __tablename__ = "request_bucket"
    __table_args__ = (Index("ix_request_bucket_at", "at"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holds: Mapped[float] = mapped_column(Double)
    at: Mapped[datetime]
