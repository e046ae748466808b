"""Store which publications were withheld, which were forced, and by whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the log of publications."""
    op.create_table(
        "publication_log",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("event_data", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
    )
    op.create_index("ix_publication_log_created_at", "publication_log", ["created_at"])


def downgrade() -> None:
    """Drop the log of publications."""
    op.drop_table("publication_log")
