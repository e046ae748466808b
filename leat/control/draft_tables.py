"""The table of drafts of declarations, in the control store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class Draft(Table):
    """A draft, encrypted with its id, which isn't stored: the name is a hash of it.

    ``tried_until`` is until when the server that tries it has to write it again; empty while nobody tries it.
    """

    __tablename__ = "draft"
    __table_args__ = (Index("ix_draft_seen_at", "seen_at"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    seen_at: Mapped[datetime]
    tried_until: Mapped[datetime | None]
