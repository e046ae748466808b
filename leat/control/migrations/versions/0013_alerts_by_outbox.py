"""Let the outbox have the text and the state of alerts that aren't sent yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Drop what the outbox has instead; what wasn't sent is written again by the next pass."""
    op.execute("UPDATE alert_message SET status = 'replaced' WHERE status IN ('sending', 'failed')")
    for column in ("body", "tried_at"):
        op.drop_column("alert_message", column)


def downgrade() -> None:
    """Add the columns; what isn't sent yet is written again by the earlier leat."""
    op.add_column("alert_message", sa.Column("body", sa.Text))
    op.add_column("alert_message", sa.Column("tried_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE alert_message SET status = 'replaced' WHERE status IN ('open', 'uncertain', 'withdrawn')")
    op.execute("DELETE FROM action WHERE integration = '@alerts'")
