"""Store when the episode of a violation began that an action is for, so that reports can say how long it took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column("action", sa.Column("subject_opened_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("action", "subject_opened_at")
