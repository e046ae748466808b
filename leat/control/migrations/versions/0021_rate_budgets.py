"""Store the rate budgets that several machines share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021_from_0020"
down_revision = "0020"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "rate_budget",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the table: limits of servers are learnt again from their next answers."""
    op.drop_table("rate_budget")
