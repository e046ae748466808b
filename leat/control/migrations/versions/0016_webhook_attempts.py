"""Store the attempts of webhooks that were sent, why an endpoint fails, and who has paused it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_OF_ENDPOINTS: dict[str, sa.types.TypeEngine[Any]] = {
    "error": sa.Text(),
    "paused_by": sa.String(255),
    "paused_at": sa.DateTime(timezone=True),
}


def upgrade() -> None:
    """Add the columns."""
    op.add_column("webhook_message", sa.Column("attempt_log", sa.JSON))
    for name, kind in _OF_ENDPOINTS.items():
        op.add_column("webhook_endpoint", sa.Column(name, kind))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("webhook_message", "attempt_log")
    for name in _OF_ENDPOINTS:
        op.drop_column("webhook_endpoint", name)
