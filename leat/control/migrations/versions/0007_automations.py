"""Store automations, their runs, and what must hold when an action is sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of automations, and give actions conditions."""
    op.add_column("action", sa.Column("conditions", sa.JSON))
    op.create_index("ix_action_automation_created_at", "action", ["automation", "created_at"])
    op.create_table(
        "automation",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("mode", sa.String(50), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("since", _TIME),
        sa.Column("baseline", sa.JSON),
    )
    numbers = ("targets", "planned", "approved", "held", "expired", "refused")
    op.create_table(
        "automation_run",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("automation", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(50), nullable=False),
        sa.Column("version", sa.String(255)),
        sa.Column("planned_at", _TIME, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in numbers),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_automation_run_automation_id", "automation_run", ["automation", "id"])


def downgrade() -> None:
    """Drop the tables of automations and the conditions of actions."""
    op.drop_table("automation_run")
    op.drop_table("automation")
    op.drop_index("ix_action_automation_created_at", "action")
    op.drop_column("action", "conditions")
