"""Store the API calls of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table of API calls."""
    op.create_table(
        "api_call",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("integration_id", sa.Integer, sa.ForeignKey("integration.id", ondelete="CASCADE"), nullable=False),
        sa.Column("run_id", sa.String(64), sa.ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
        sa.Column("called_at", _TIME, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("method", sa.String(50), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("milliseconds", sa.Float, nullable=False),
        sa.Column("received_bytes", sa.BigInteger, nullable=False),
        sa.Column("error", sa.String(255)),
        sa.Column("rate_limit", sa.BigInteger),
        sa.Column("rate_remaining", sa.BigInteger),
        sa.Column("rate_reset_at", _TIME),
        sa.Column("version_asked", sa.Text),
        sa.Column("version_served", sa.Text),
        sa.Column("deprecated_at", _TIME),
        sa.Column("sunset_at", _TIME),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_api_call_run_id", "api_call", ["run_id"])
    op.create_index("ix_api_call_called_at", "api_call", ["called_at"])


def downgrade() -> None:
    """Drop the API calls."""
    op.drop_table("api_call")
