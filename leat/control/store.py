"""The control store: which systems and integrations are declared, their overrides and log, every run and its API calls.

Every function takes the engine of :func:`open_control` and is one short transaction. Times are UTC and have a zone.
Texts must have been redacted by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from leat.control.actor import current_actor
from leat.control.calls import record_calls
from leat.control.engine import find_integration, open_control, storable, writing
from leat.control.runs import (
    Counts,
    RunRecord,
    RunStatus,
    Trigger,
    close_lost_runs,
    end_run,
    last_good_runs,
    last_runs,
    recent_runs,
    running_runs,
    runs_of_dagster,
    start_run,
)
from leat.control.tables import Integration, IntegrationConfig, IntegrationLog, IntegrationSystem

__all__ = [
    "Counts",
    "Declared",
    "RunRecord",
    "RunStatus",
    "Trigger",
    "close_lost_runs",
    "end_run",
    "has_rows",
    "last_good_runs",
    "last_runs",
    "log_events",
    "open_control",
    "overrides",
    "recent_runs",
    "record_calls",
    "register",
    "running_runs",
    "runs_of_dagster",
    "set_override",
    "start_run",
    "user_name",
]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the store has of a declaration."""

    system: str
    system_description: str
    driver: str
    description: str
    enabled: bool = True


def has_rows(engine: Engine, table: str) -> bool:
    """Return whether a table has any rows, without its class."""
    with engine.connect() as connection:
        return connection.execute(text(f'SELECT 1 FROM "{table}" LIMIT 1')).first() is not None  # nosec B608


def register(engine: Engine, declared: Mapping[str, Declared]) -> bool:
    """Make the rows of systems and integrations those of the declarations; return whether anything was written.

    Args:
        engine: the store.
        declared: every declaration of the project by name; a row of another name gets the status ``removed``.
    """
    with Session(engine, autoflush=False) as session:  # most runs change nothing: look before taking the write lock
        if not _registered(session, declared):
            return False
    with writing(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("LOCK TABLE integration_system IN SHARE ROW EXCLUSIVE MODE"))
        return _registered(session, declared)


def _registered(session: Session, declared: Mapping[str, Declared]) -> bool:
    """Change the session's objects; return whether any of them differs from its row."""
    systems = {row.name: row for row in session.scalars(select(IntegrationSystem))}
    integrations = {row.name: row for row in session.scalars(select(Integration))}
    now = datetime.now(UTC)
    for name in sorted({item.system for item in declared.values()} - set(systems)):
        systems[name] = IntegrationSystem(name=name, created_by=user_name(), created_at=now)
        session.add(systems[name])
    for name in sorted(set(declared) - set(integrations)):
        integrations[name] = Integration(name=name, created_at=now, system=systems[declared[name].system])
        session.add(integrations[name])
    descriptions = {item.system: item.system_description for item in declared.values()}
    changed = [_set(row, now, status="removed") for name, row in systems.items() if name not in descriptions]
    changed += [_set(row, now, status="removed") for name, row in integrations.items() if name not in declared]
    for name, description in descriptions.items():
        changed.append(_set(systems[name], now, status="active", description=storable(description)))
    for name, item in declared.items():
        values: dict[str, Any] = {"status": "active" if item.enabled else "disabled", "system": systems[item.system]}
        values |= {"integration_type": f"{item.system}/{item.driver}", "description": storable(item.description)}
        changed.append(_set(integrations[name], now, **values))
    return any(changed)


def _set(row: IntegrationSystem | Integration, now: datetime, **values: Any) -> bool:
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in (changed | {"updated_at": now}).items() if changed else ():
        setattr(row, name, value)
    return bool(changed)


def log_events(engine: Engine, integration: str, events: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Add to the log of an integration: pairs of an event type and its data, which JSON must be able to hold."""
    now = datetime.now(UTC)
    with writing(engine) as session:
        row = find_integration(session, integration)
        for event_type, data in events:
            log = IntegrationLog(event_type=event_type[:50], event_data=_json(data), created_at=now)
            log.integration_id = row.id
            session.add(log)


def overrides(engine: Engine) -> dict[str, dict[str, str]]:
    """Return integration → key → YAML text, for :func:`leat.pipelines.declare.overrides.apply_overrides`."""
    wanted = select(Integration.name, IntegrationConfig.key, IntegrationConfig.value).join(IntegrationConfig)
    result: dict[str, dict[str, str]] = {}
    with Session(engine) as session:
        for integration, key, value in session.execute(wanted.order_by(Integration.name, IntegrationConfig.key)):
            result.setdefault(integration, {})[key] = value
    return result


def set_override(engine: Engine, integration: str, key: str, value: str | None) -> None:
    """Set an override, or remove it when the value is None; the caller has validated it."""
    now = datetime.now(UTC)
    with writing(engine) as session:
        owner = find_integration(session, integration)
        row = session.scalar(select(IntegrationConfig).filter_by(integration_id=owner.id, key=key))
        if value is None:
            if row is not None:
                session.delete(row)
        elif row is None:
            session.add(
                IntegrationConfig(integration_id=owner.id, key=key, value=value, created_at=now, updated_at=now)
            )
        else:
            row.value, row.updated_at = value, now


def user_name() -> str:
    """Return who acts: the person of a request, ``LEAT_USER``, or else the user account."""
    return current_actor().name


def _json(data: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(data), default=str, allow_nan=False))
    except (TypeError, ValueError):
        return {"text": str(data)}
