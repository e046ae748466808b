"""Store whether a run that somebody asks for builds all rows of all models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033_from_0020"
down_revision = "0032_from_0020"


def upgrade() -> None:
    """Add the column."""
    column = sa.Column("full_refresh", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("requested_run", column)


def downgrade() -> None:
    """Drop it: what waits builds only what changed."""
    op.drop_column("requested_run", "full_refresh")
