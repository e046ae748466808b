"""Create the control store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of the RFC, and runs."""
    _create_integrations()
    _create_config_and_log()
    _create_runs()


def _create_integrations() -> None:
    op.create_table(
        "integration_system",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
    )
    _index("integration_system", "created_by", "created_at", "status")
    op.create_table(
        "integration",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("integration_type", sa.String(50), nullable=False),
        _foreign_key("integration_system"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
    )
    _index("integration", "integration_system_id", "created_at", "status")


def _create_config_and_log() -> None:
    op.create_table(
        "integration_config",
        sa.Column("id", sa.Integer, primary_key=True),
        _foreign_key("integration"),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.UniqueConstraint("integration_id", "key", name="uq_integration_config_integration_id_key"),
    )
    _index("integration_config", "integration_id", "created_at")
    op.create_table(
        "integration_log",
        sa.Column("id", sa.Integer, primary_key=True),
        _foreign_key("integration"),
        sa.Column("event_type", sa.String(50), nullable=False),
        sa.Column("event_data", sa.JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    _index("integration_log", "integration_id", "created_at")


def _create_runs() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String(64), primary_key=True),
        _foreign_key("integration"),
        sa.Column("trigger", sa.String(50), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("rows_inserted", sa.BigInteger, nullable=False),
        sa.Column("rows_updated", sa.BigInteger, nullable=False),
        sa.Column("rows_deleted", sa.BigInteger, nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger, nullable=False),
        sa.Column("load_id", sa.String(255)),
        sa.Column("seconds", sa.Float),
        sa.Column("error_type", sa.String(255)),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_run_integration_id_started_at", "run", ["integration_id", "started_at"])
    _index("run", "started_at", "ended_at", "status")


def _foreign_key(table: str) -> sa.Column[int]:
    return sa.Column(f"{table}_id", sa.Integer, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the control store."""
    for table in ("run", "integration_log", "integration_config", "integration", "integration_system"):
        op.drop_table(table)
