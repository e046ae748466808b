"""Store how far the audit log was sent to another system."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024_from_0020"
down_revision = "0023_from_0020"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit_sent",
        sa.Column("destination", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop it: the log is sent from its beginning again."""
    op.drop_table("audit_sent")
