"""Store which run of Dagster a run belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022_from_0020"
down_revision = "0021_from_0020"


def upgrade() -> None:
    """Add the column."""
    op.add_column("run", sa.Column("dagster_run", sa.String(64)))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("run", "dagster_run")
