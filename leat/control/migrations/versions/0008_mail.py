"""Store addresses that get no mail, and what recipients did with links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of suppressed addresses and of followed links."""
    op.create_table(
        "suppression",
        sa.Column("address", sa.String(320), primary_key=True),
        sa.Column("reason", sa.String(50), primary_key=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("added_by", sa.String(255), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "tracking_event",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("action_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("link", sa.Integer),
        sa.Column("happened_at", _TIME, nullable=False),
        sa.Column("judged", sa.String(50), nullable=False),
        sa.Column("because", sa.String(255), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tracking_event_action_id", "tracking_event", ["action_id"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("tracking_event")
    op.drop_table("suppression")
