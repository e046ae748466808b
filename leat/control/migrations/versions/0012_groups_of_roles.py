"""Store which groups of a person gave them their role, so that pages can say why they have it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    op.add_column("person", sa.Column("role_from", sa.Text()))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("person", "role_from")
