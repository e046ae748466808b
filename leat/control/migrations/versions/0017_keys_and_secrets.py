"""Store data keys, wrapped, and secrets, encrypted with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "data_key",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(50), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("kek", sa.String(255), nullable=False),
        sa.Column("wrapped", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("replaced_at", _TIME),
        sa.Column("retired_at", _TIME),
    )
    op.create_index("ix_data_key_purpose", "data_key", ["purpose", "subject", "state"])
    op.create_table(
        "stored_secret",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("purpose", sa.String(50), nullable=False),
        sa.Column("kid", sa.String(64), sa.ForeignKey("data_key.kid"), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
    )
    op.create_index("ix_stored_secret_kid", "stored_secret", ["kid"])


def downgrade() -> None:
    """Drop them: the secrets are lost."""
    op.drop_table("stored_secret")
    op.drop_table("data_key")
