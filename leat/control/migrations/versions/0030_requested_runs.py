"""Store runs that somebody asks for, and what happens in them, for all servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030_from_0020"
down_revision = "0025_from_0020"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "requested_run",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("integrations", sa.JSON, nullable=False),
        sa.Column("requested_by", sa.String(255), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text),
        sa.Column("holder", sa.String(300)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("claims", sa.Integer, nullable=False),
    )
    op.create_index("ix_requested_run_state", "requested_run", ["state"])
    op.create_index("ix_requested_run_ended_at", "requested_run", ["ended_at"])
    op.create_table(
        "requested_run_event",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("requested_run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("data", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them: what waits isn't carried out."""
    op.drop_table("requested_run_event")
    op.drop_table("requested_run")
