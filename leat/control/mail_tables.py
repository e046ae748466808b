"""The tables of mail in the control store: addresses that get none, and what recipients did with links."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class Suppression(Table):
    """An address that gets no mail, and why: bounce, complaint, opt_out (no bulk mail) or manual.

    One that was released stays, so that what it was suppressed for doesn't suppress it again.
    """

    __tablename__ = "suppression"

    address: Mapped[str] = mapped_column(String(320), primary_key=True)
    reason: Mapped[str] = mapped_column(String(50), primary_key=True)
    since: Mapped[datetime]
    added_by: Mapped[str] = mapped_column(String(255))
    note: Mapped[str] = mapped_column(Text)
    released_at: Mapped[datetime | None]


class TrackingEvent(Table):
    """Somebody, or some machine, followed a link of a mail or loaded its picture; there is no address of anybody."""

    __tablename__ = "tracking_event"
    __table_args__ = (Index("ix_tracking_event_action_id", "action_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    action_id: Mapped[str] = mapped_column(String(26))
    kind: Mapped[str] = mapped_column(String(50))
    link: Mapped[int | None]
    happened_at: Mapped[datetime]
    judged: Mapped[str] = mapped_column(String(50))
    because: Mapped[str] = mapped_column(String(255))
