"""The engine's own tables, schema ``leat`` of the warehouse, written in the same transaction as what they tell of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.system_tables import TABLES
from leat.warehouse.session import Session, quote, sql_type

SCHEMA = "leat"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class State:
    """What the warehouse knows of one integration.

    Attributes:
        cursor: where the next extraction goes on; None before the first load.
        cursor_load: the load that brought the cursor.
        shapes: per stream that has been loaded, the shape of its table (see :mod:`leat.pipelines.load.table_schema`).
        covered: the streams whose rows are up to date with the cursor; another one has to be read from the start.
    """

    cursor: Mapping[str, Any] | None
    cursor_load: str
    shapes: Mapping[str, Mapping[str, Any]]
    covered: frozenset[str] = frozenset()


def create_tables(session: Session) -> None:
    """Create what is missing of the engine's own tables; one of an earlier version of leat gets its new columns."""
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(SCHEMA)}")
    for table, declared in TABLES.items():
        there = session.columns(SCHEMA, table)
        missing = {name: sql_type(kind, session.dialect) for name, kind in declared.types.items() if name not in there}
        if not there:
            listed = ", ".join(f"{quote(name)} {kind}" for name, kind in missing.items())
            session.execute(f"CREATE TABLE IF NOT EXISTS {quote(SCHEMA, table)} ({listed})")
            continue
        for name, kind in missing.items():
            session.execute(f"ALTER TABLE {quote(SCHEMA, table)} ADD COLUMN {quote(name)} {kind}")


def exists(session: Session) -> bool:
    """Return whether the warehouse has ever been written."""
    return bool(session.columns(SCHEMA, "cursors"))


def read_state(session: Session, integration: str) -> State:
    """Return what the warehouse knows of an integration."""
    if not exists(session):
        return State(None, "", {})
    streams = "streams" if "streams" in session.columns(SCHEMA, "cursors") else "NULL"  # an earlier version of leat
    sql = f"SELECT cursor, load_id, {streams} FROM leat.cursors WHERE integration = ?"
    cursors = session.execute(sql, (integration,))
    rows = session.execute("SELECT stream, shape FROM leat.streams WHERE integration = ?", (integration,))
    cursor, load, listed = cursors[0] if cursors else (None, "", None)
    shapes = {stream: _json(shape) for stream, shape in rows}
    return State(_json(cursor), load, shapes, frozenset(shapes if listed is None else _json(listed)))


def read_totals(session: Session, integration: str) -> dict[str, int]:
    """Return how many rows each stream had after its last load."""
    if not exists(session):
        return {}
    rows = session.execute(
        "SELECT stream, total FROM leat.load_streams AS s WHERE integration = ? AND load_id = "
        "(SELECT max(load_id) FROM leat.load_streams AS n WHERE n.integration = s.integration AND n.stream = s.stream)",
        (integration,),
    )
    return {stream: int(total) for stream, total in rows}


def newest_load(session: Session, integration: str) -> str:
    """Return the id of the newest load of an integration; empty before the first."""
    if not exists(session):
        return ""
    sql = "SELECT max(load_id) FROM leat.{} WHERE integration = ?"
    found = [session.execute(sql.format(table), (integration,))[0][0] for table in ("loads", "cursors")]
    return max((load for load in found if load), default="")


def last_applied(session: Session, integration: str) -> datetime | None:
    """Return when the newest load of an integration was applied."""
    found = session.execute("SELECT max(applied_at) FROM leat.loads WHERE integration = ?", (integration,))
    return cast("datetime | None", found[0][0])


def write_cursor(
    session: Session, integration: str, load_id: str, cursor: Mapping[str, Any], covered: Iterable[str]
) -> None:
    """Set the cursor of an integration, and the streams whose rows are up to date with it."""
    session.execute("DELETE FROM leat.cursors WHERE integration = ?", (integration,))
    insert(session, "cursors", [(integration, load_id, json.dumps(cursor), json.dumps(sorted(covered)))])


def write_shape(session: Session, integration: str, stream: str, shape: Mapping[str, Any]) -> None:
    """Remember the shape of a stream's table."""
    session.execute("DELETE FROM leat.streams WHERE integration = ? AND stream = ?", (integration, stream))
    insert(session, "streams", [(integration, stream, json.dumps(shape))])


def write_load(session: Session, load_id: str, integration: str, kind: str, times: tuple[datetime, datetime]) -> None:
    """Record that a load was applied; ``times`` are when it was landed and when it is applied."""
    insert(session, "loads", [(load_id, integration, kind, *times)])


def write_results(session: Session, load_id: str, integration: str, results: Sequence[StreamResult]) -> None:
    """Record what a load did to each stream."""
    rows = [
        (
            *(load_id, integration, r.stream, r.inserted, r.updated, r.deleted, r.quarantined, r.drifted, r.total),
            *(r.purged, r.complete, r.error),
        )
        for r in results
    ]
    insert(session, "load_streams", rows)


def forget_quarantined(session: Session, integration: str, stream: str) -> None:
    """Drop the quarantined records of a stream that is loaded anew."""
    session.execute("DELETE FROM leat.quarantine WHERE integration = ? AND stream = ?", (integration, stream))


def read_rows(session: Session, table: str) -> list[tuple[Any, ...]]:
    """Return all rows of one of the engine's tables, as :func:`replace_rows` takes them."""
    columns = TABLES[table].types
    rows = session.execute(f"SELECT {', '.join(map(quote, columns))} FROM {quote(SCHEMA, table)}")
    return [tuple(_writable(kind, v) for kind, v in zip(columns.values(), row, strict=True)) for row in rows]


def _writable(kind: str, value: Any) -> Any:
    return value if kind != "json" or isinstance(value, str | None) else json.dumps(value)


def replace_rows(session: Session, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Let one of the engine's tables have these rows and no others."""
    session.execute(f"DELETE FROM {quote(SCHEMA, table)}")
    insert(session, table, rows)


def insert(session: Session, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows into one of the engine's tables, with all columns in their declared order."""
    columns = TABLES[table].types
    into = f"{quote(SCHEMA, table)} ({', '.join(map(quote, columns))})"
    values = "(" + ", ".join(f"CAST(? AS {sql_type(kind, session.dialect)})" for kind in columns.values()) + ")"
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        flat = [value for row in part for value in row]
        session.change(f"INSERT INTO {into} VALUES {', '.join([values] * len(part))}", flat)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
