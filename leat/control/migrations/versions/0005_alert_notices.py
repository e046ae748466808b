"""Rename the table of what each channel was last notified of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Move ``alert_told`` to ``alert_notice``."""
    _move("alert_told", "told_at", "alert_notice", "notified_at")


def downgrade() -> None:
    """Move ``alert_notice`` back to ``alert_told``."""
    _move("alert_notice", "notified_at", "alert_told", "told_at")


def _move(old: str, old_time: str, new: str, new_time: str) -> None:
    """Copy the rows to a new table: SQLite can't rename a constraint."""
    op.create_table(
        new,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("problem_id", sa.Integer, sa.ForeignKey("alert_problem.id", ondelete="CASCADE"), nullable=False),
        sa.Column("channel", sa.String(255), nullable=False),
        sa.Column("what", sa.String(50), nullable=False),
        sa.Column(new_time, sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalated", sa.Boolean, nullable=False),
        sa.UniqueConstraint("problem_id", "channel", name=f"uq_{new}_problem_id_channel"),
    )
    op.execute(
        f"INSERT INTO {new} (problem_id, channel, what, {new_time}, escalated) "
        f"SELECT problem_id, channel, what, {old_time}, escalated FROM {old}"
    )
    op.drop_table(old)
