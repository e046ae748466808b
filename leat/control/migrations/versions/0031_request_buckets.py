"""Store what callers may ask of all servers together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031_from_0020"
down_revision = "0030_from_0020"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "request_bucket",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holds", sa.Double, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_request_bucket_at", "request_bucket", ["at"])


def downgrade() -> None:
    """Drop it: each server counts for itself."""
    op.drop_table("request_bucket")
