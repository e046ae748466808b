"""The table of answers that are given again, in the control store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class IdempotentAnswer(Table):
    """What was answered to a request with an Idempotency-Key; without a status while it is under way.

    ``name`` is a hash of the caller and the key, ``asked`` one of the request, ``holder`` who carries it out.
    """

    __tablename__ = "idempotent_answer"
    __table_args__ = (Index("ix_idempotent_answer_began_at", "began_at"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked: Mapped[str] = mapped_column(String(64))
    holder: Mapped[str] = mapped_column(String(300))
    began_at: Mapped[datetime]
    status: Mapped[int | None]
    headers: Mapped[Any | None] = mapped_column(JSON)
    body: Mapped[str | None] = mapped_column(Text)
