"""Store the endpoints of webhooks, and the messages to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "webhook_endpoint",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("watermark", _TIME, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("paused_until", _TIME),
        sa.Column("disabled_at", _TIME),
    )
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("action_id", sa.String(26), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_webhook_message_status", "webhook_message", ["status"])
    op.create_index("ix_webhook_message_created_at", "webhook_message", ["created_at"])


def downgrade() -> None:
    """Drop the tables, and what wasn't sent yet."""
    op.execute("DELETE FROM action WHERE integration LIKE '@webhooks%'")
    for table in ("webhook_message", "webhook_endpoint"):
        op.drop_table(table)
