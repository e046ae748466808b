"""The table of rate budgets that machines share, in the control store."""

from __future__ import annotations

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from leat.control.tables import Table


class RateBudget(Table):
    """What everybody who uses a credential may still send, as JSON; its name is a keyed hash."""

    __tablename__ = "rate_budget"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
