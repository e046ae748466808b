"""Store who is erased, the erasures, and legal holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0017"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "subject_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("secret", sa.String(64), nullable=False),
    )
    op.create_table(
        "subject_tombstone",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("mentioned", sa.Boolean, nullable=False),
        sa.Column("first_word", sa.String(64)),
        sa.Column("words", sa.Integer),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_table(
        "subject_request",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("identities", sa.JSON),
        sa.Column("approved_by", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("report", sa.JSON),
    )
    op.create_table(
        "subject_hold",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("identities", sa.JSON),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.String(255), nullable=False),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.Column("released_at", _TIME),
    )
    op.create_index("ix_subject_tombstone_request_id", "subject_tombstone", ["request_id"])
    op.create_index("ix_subject_request_digest", "subject_request", ["digest"])
    op.create_index("ix_subject_hold_digest", "subject_hold", ["digest"])


def downgrade() -> None:
    """Drop the tables: who was erased comes back with the next complete listing."""
    for table in ("subject_hold", "subject_request", "subject_tombstone", "subject_key"):
        op.drop_table(table)
