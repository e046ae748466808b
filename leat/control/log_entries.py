"""Reads the log of integrations, which :func:`leat.control.store.log_events` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leat.control.tables import Integration, IntegrationLog


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened to an integration; later entries have higher numbers."""

    id: int
    at: datetime
    integration: str
    event: str
    data: Any


def log_entries(
    engine: Engine,
    *,
    integration: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[LogEntry]:
    """Return the last entries, oldest first.

    Args:
        engine: the store.
        integration: only of this one.
        event: only of this type.
        since: only from this time on.
        after: only with a higher number.
        limit: at most so many.
    """
    columns = (IntegrationLog.id, IntegrationLog.created_at, Integration.name, IntegrationLog.event_type)
    wanted = select(*columns, IntegrationLog.event_data).join(Integration).where(IntegrationLog.id > after)
    if integration is not None:
        wanted = wanted.where(Integration.name == integration)
    if event is not None:
        wanted = wanted.where(IntegrationLog.event_type == event)
    if since is not None:
        wanted = wanted.where(IntegrationLog.created_at >= since)
    with Session(engine) as session:
        rows: Sequence[Any] = session.execute(wanted.order_by(IntegrationLog.id.desc()).limit(limit)).all()
    return [LogEntry(*row) for row in reversed(rows)]


def logged_names(engine: Engine) -> tuple[list[str], list[str]]:
    """Return the integrations and the types of events that there are."""
    with Session(engine) as session:
        names = session.scalars(select(Integration.name).order_by(Integration.name)).all()
        events = session.scalars(select(IntegrationLog.event_type).distinct().order_by(IntegrationLog.event_type)).all()
    return list(names), list(events)
