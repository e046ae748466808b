"""Store what was answered to a request with an Idempotency-Key, for all servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025_from_0020"
down_revision = "0024_from_0020"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "idempotent_answer",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(300), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.JSON),
        sa.Column("body", sa.Text),
    )
    op.create_index("ix_idempotent_answer_began_at", "idempotent_answer", ["began_at"])


def downgrade() -> None:
    """Drop it: a request that is repeated is carried out again."""
    op.drop_table("idempotent_answer")
