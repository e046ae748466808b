"""Tables as loads leave them, made directly: streams with rows, and the engine's record of the load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.system_columns import SYSTEM_COLUMNS
from leat.pipelines.load import state
from leat.sources.driver import ConnectionModel, load_streams
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Session, Warehouse, quote
from tests.kit.engines import EMBEDDED, shared_lake

REPOSITORY = Path(__file__).parents[2]


def warehouse_of(engine: str, folder: Path, request: pytest.FixtureRequest) -> Warehouse:
    """Return an empty warehouse of an engine."""
    url = EMBEDDED[engine] if engine in EMBEDDED else request.getfixturevalue("postgres_url")
    return open_warehouse(shared_lake(url, folder / "files") if engine == "shared" else url, folder / "state")


def declare(name: str, streams: Mapping[str, Any] | None = None) -> Declaration:
    """Return the declaration of an integration that is called like its source."""
    return Declaration.model_validate(
        {
            "source": name,
            "driver": "none",
            "connection": ConnectionModel(),
            "streams": streams or {},
            "name": name,
            "path": Path(f"pipelines/{name}.yaml"),
        }
    )


def both() -> dict[str, Declaration]:
    return {name: declare(name) for name in ("calendar", "version_control")}


def project(folder: Path) -> Project:
    return Project(folder=folder, state=folder / "state", warehouse_url=None, control_url="")


def write(folder: Path, kind: str, files: Mapping[str, str]) -> Project:
    """Write model or rule files; their text is dedented by being written without indentation."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / kind / name).write_text(text, encoding="utf-8")
    return project(folder)


def load(
    session: Session, integration: str, load_id: str, tables: Mapping[str, Iterable[Mapping[str, Any]]], at: datetime
) -> None:
    """Add rows to streams as one load; a row may say ``_deleted_at``."""
    state.create_tables(session)
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(integration)}")
    streams = {stream.name: stream for stream in load_streams(integration)}
    for name, rows in tables.items():
        kinds = {**{c.name: c.type for c in streams[name].all_columns()}, **SYSTEM_COLUMNS}
        if not session.columns(integration, name):
            listed = ", ".join(f"{quote(column)} {session.dialect.sql_type(kind)}" for column, kind in kinds.items())
            session.execute(f"CREATE TABLE {quote(integration, name)} ({listed})")
            state.write_schema(session, integration, name, {})
        number = 0
        for row in rows:
            whole = {"_load_id": load_id, "_synced_at": at, **row}
            assert not set(whole) - set(kinds)
            marks = ", ".join(f"CAST(? AS {session.dialect.sql_type(kinds[column])})" for column in whole)
            listed = ", ".join(map(quote, whole))
            session.execute(f"INSERT INTO {quote(integration, name)} ({listed}) VALUES ({marks})", list(whole.values()))
            number += 1
        state.insert(session, "load_streams", [(load_id, integration, name, number, 0, 0, 0, 0, number, 0, None, None)])
    state.write_load(session, load_id, integration, "sync", (at, at))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]
