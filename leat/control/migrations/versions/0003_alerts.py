"""Store problems, which channels were notified of them, and the messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of alerts."""
    op.create_table(
        "alert_problem",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("problem_key", sa.String(255), nullable=False, unique=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("severity", sa.String(50), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("gone_at", _TIME),
        sa.Column("flaps", sa.Integer, nullable=False),
    )
    op.create_index("ix_alert_problem_gone_at", "alert_problem", ["gone_at"])
    op.create_table(
        "alert_told",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("problem_id", sa.Integer, sa.ForeignKey("alert_problem.id", ondelete="CASCADE"), nullable=False),
        sa.Column("channel", sa.String(255), nullable=False),
        sa.Column("what", sa.String(50), nullable=False),
        sa.Column("told_at", _TIME, nullable=False),
        sa.Column("escalated", sa.Boolean, nullable=False),
        sa.UniqueConstraint("problem_id", "channel", name="uq_alert_told_problem_id_channel"),
    )
    op.create_table(
        "alert_message",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("channel", sa.String(255), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("severity", sa.String(50), nullable=False),
        sa.Column("news", sa.JSON, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tried_at", _TIME),
        sa.Column("sent_at", _TIME),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_alert_message_status", "alert_message", ["status"])
    op.create_index("ix_alert_message_created_at", "alert_message", ["created_at"])


def downgrade() -> None:
    """Drop the tables of alerts."""
    for table in ("alert_message", "alert_told", "alert_problem"):
        op.drop_table(table)
