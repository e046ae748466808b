"""Store a key for each person whose columns are encrypted so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023_from_0020"
down_revision = "0022_from_0020"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "person_key",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64)),
        sa.Column("wrapped_by", sa.String(64), sa.ForeignKey("data_key.kid")),
        sa.Column("wrapped", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("destroyed_at", _TIME),
    )
    op.create_index("ix_person_key_digest", "person_key", ["digest"])
    op.create_index("ix_person_key_wrapped_by", "person_key", ["wrapped_by"])


def downgrade() -> None:
    """Drop it: what the keys have encrypted can't be decrypted any more."""
    op.drop_table("person_key")
