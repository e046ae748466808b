"""Store drafts of declarations, for all servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032_from_0020"
down_revision = "0031_from_0020"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "draft",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_until", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_draft_seen_at", "draft", ["seen_at"])


def downgrade() -> None:
    """Drop it: drafts are begun again."""
    op.drop_table("draft")
