"""The tables of the control store: systems, integrations, their configuration and log, runs and their API calls.

The first four and their indexes are those of the "Integration & Automation System" RFC, section Data Models. Every
change here needs a migration in ``leat/control/migrations/versions``; a test compares both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: only times with a zone go in, UTC comes out; SQLite stores it as text in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as the database stores it.

        Raises:
            ValueError: the time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"{value} has no time zone"
            raise ValueError(msg)
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """What every table of the control store derives from."""

    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy reads it


class IntegrationSystem(Table):
    """A kind of system, for example ``payments``. ``status``: active or removed."""

    __tablename__ = "integration_system"
    __table_args__ = (
        Index("ix_integration_system_created_by", "created_by"),
        Index("ix_integration_system_created_at", "created_at"),
        Index("ix_integration_system_status", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(50))


class Integration(Table):
    """One declaration; ``integration_type`` is source/driver. ``status``: active, disabled or removed."""

    __tablename__ = "integration"
    __table_args__ = (
        Index("ix_integration_integration_system_id", "integration_system_id"),
        Index("ix_integration_created_at", "created_at"),
        Index("ix_integration_status", "status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text)
    integration_type: Mapped[str] = mapped_column(String(50))
    integration_system_id: Mapped[int] = mapped_column(ForeignKey("integration_system.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(50))
    system: Mapped[IntegrationSystem] = relationship(lazy="joined", innerjoin=True)


class IntegrationConfig(Table):
    """One override of a declaration: ``key`` is a dotted path in it, ``value`` YAML."""

    __tablename__ = "integration_config"
    __table_args__ = (
        UniqueConstraint("integration_id", "key", name="uq_integration_config_integration_id_key"),
        Index("ix_integration_config_integration_id", "integration_id"),
        Index("ix_integration_config_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    value: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class IntegrationLog(Table):
    """One thing that happened to an integration."""

    __tablename__ = "integration_log"
    __table_args__ = (
        Index("ix_integration_log_integration_id", "integration_id"),
        Index("ix_integration_log_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"))
    event_type: Mapped[str] = mapped_column(String(50))
    event_data: Mapped[Any] = mapped_column(JSON, nullable=False)
    created_at: Mapped[datetime]


class PublicationLog(Table):
    """A publication that was withheld or forced, or the clean one that ended that; ``created_by`` is a user's name."""

    __tablename__ = "publication_log"
    __table_args__ = (Index("ix_publication_log_created_at", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event_type: Mapped[str] = mapped_column(String(50))
    event_data: Mapped[Any] = mapped_column(JSON, nullable=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))


class Run(Table):
    """One run of an integration; ``status`` is running, then one of :data:`leat.control.store.RunStatus`."""

    __tablename__ = "run"
    __table_args__ = (
        Index("ix_run_integration_id_started_at", "integration_id", "started_at"),
        Index("ix_run_started_at", "started_at"),
        Index("ix_run_ended_at", "ended_at"),
        Index("ix_run_status", "status"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"))
    trigger: Mapped[str] = mapped_column(String(50))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(50))
    rows_inserted: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_updated: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_deleted: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_quarantined: Mapped[int] = mapped_column(BigInteger, default=0)
    load_id: Mapped[str | None] = mapped_column(String(255))
    seconds: Mapped[float | None]
    error_type: Mapped[str | None] = mapped_column(String(255))
    error: Mapped[str | None] = mapped_column(Text)
    dagster_run: Mapped[str | None] = mapped_column(String(64))
    integration: Mapped[Integration] = relationship(lazy="joined", innerjoin=True)


class ApiCall(Table):
    """One HTTP request of a run; :class:`leat.sources.http.calls.ApiCall` describes the columns.

    Numbers are never used again, because the warehouse still has the rows that are removed here.
    """

    __tablename__ = "api_call"
    __table_args__ = (
        Index("ix_api_call_run_id", "run_id"),
        Index("ix_api_call_called_at", "called_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    integration_id: Mapped[int] = mapped_column(ForeignKey("integration.id", ondelete="CASCADE"))
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    called_at: Mapped[datetime]
    host: Mapped[str] = mapped_column(Text)
    method: Mapped[str] = mapped_column(String(50))
    path: Mapped[str] = mapped_column(Text)
    status: Mapped[int | None]
    attempt: Mapped[int]
    milliseconds: Mapped[float]
    received_bytes: Mapped[int] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(String(255))
    rate_limit: Mapped[int | None] = mapped_column(BigInteger)
    rate_remaining: Mapped[int | None] = mapped_column(BigInteger)
    rate_reset_at: Mapped[datetime | None]
    version_asked: Mapped[str | None] = mapped_column(Text)
    version_served: Mapped[str | None] = mapped_column(Text)
    deprecated_at: Mapped[datetime | None]
    sunset_at: Mapped[datetime | None]
