"""Store actions: what is to be done, was approved, tried and done, and who may send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _of_action() -> sa.Column[str]:
    return sa.Column("action_id", sa.String(26), sa.ForeignKey("action.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Create the tables of actions."""
    op.create_table(
        "action",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("dedupe_key", sa.String(255), nullable=False, unique=True),
        sa.Column("integration", sa.String(255), nullable=False),
        sa.Column("verb", sa.String(255), nullable=False),
        sa.Column("guarantee", sa.String(50), nullable=False),
        sa.Column("money", sa.Boolean, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("not_before", _TIME),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("next_at", _TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("sent_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("fence", sa.BigInteger),
        sa.Column("receipt", sa.JSON),
        sa.Column("automation", sa.String(255)),
        sa.Column("subject", sa.String(255)),
        sa.Column("undo_of", sa.String(26), sa.ForeignKey("action.id")),
        sa.Column("after_id", sa.String(26), sa.ForeignKey("action.id")),
    )
    op.create_index("ix_action_state_next_at", "action", ["state", "next_at"])
    op.create_index("ix_action_integration_state", "action", ["integration", "state"])
    op.create_index("ix_action_created_at", "action", ["created_at"])
    op.create_index("ix_action_subject", "action", ["subject"])
    op.create_table(
        "action_attempt",
        sa.Column("id", _NUMBER, primary_key=True),
        _of_action(),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("sent_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("outcome", sa.String(50)),
        sa.Column("error_type", sa.String(255)),
        sa.Column("error", sa.Text),
        sa.UniqueConstraint("action_id", "number", name="uq_action_attempt_action_id_number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "action_approval",
        sa.Column("id", _NUMBER, primary_key=True),
        _of_action(),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(50), nullable=False),
        sa.Column("decided_by", sa.String(255), nullable=False),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_action_approval_action_id", "action_approval", ["action_id"])
    op.create_table(
        "action_event",
        sa.Column("id", _NUMBER, primary_key=True),
        _of_action(),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("state", sa.String(50), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_action_event_action_id", "action_event", ["action_id"])
    op.create_table(
        "action_body",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "action_lease",
        sa.Column("integration", sa.String(255), primary_key=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("claims", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "action_stop",
        sa.Column("scope", sa.String(255), primary_key=True),
        sa.Column("stopped_by", sa.String(255), nullable=False),
        sa.Column("stopped_at", _TIME, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables of actions."""
    for table in ("action_stop", "action_lease", "action_body", "action_event", "action_approval", "action_attempt"):
        op.drop_table(table)
    op.drop_table("action")
