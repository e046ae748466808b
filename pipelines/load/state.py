"""The engine's own tables, schema ``leat`` of the warehouse, written in the same transaction as what they describe."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.system_tables import TABLES
from leat.warehouse.session import Session, execute_all, quote

SCHEMA = "leat"
_CHUNK = 500
_RENAMED = {"streams": {"shape": "table_schema"}, "histories": {"known_from": "complete_from"}}
"""Columns by their earlier names, in warehouses of an earlier version of leat."""


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """How columns are encrypted: the id of their key, and whether ciphertexts say which column they are of."""

    kid: str
    binds: bool


@dataclass(frozen=True, slots=True)
class State:
    """What the warehouse holds of one integration's past, read at one moment.

    Attributes:
        cursor: where the next extraction goes on; None before the first load.
        cursor_load: the load that brought the cursor.
        schemas: per stream that has been loaded, the schema of its table as JSON (see
            :class:`leat.pipelines.load.table_schema.TableSchema`).
        covered: the streams whose rows are up to date with the cursor; another one has to be read from the start.
        newest_load: id of the newest load; empty before the first.
        last_applied: when the newest load was applied.
        retention: what was declared under ``retain:`` when it was last enforced, and when that was.
        exists: whether the warehouse has ever been written.
        column_key: how columns are encrypted; None before the first one.
    """

    cursor: Mapping[str, Any] | None = None
    cursor_load: str = ""
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    covered: frozenset[str] = frozenset()
    newest_load: str = ""
    last_applied: datetime | None = None
    retention: tuple[str, datetime] | None = None
    exists: bool = False
    column_key: ColumnKey | None = None

    @property
    def position(self) -> tuple[str, Mapping[str, Any] | None]:
        """What a load starts from: a load that was extracted holds as long as the position hasn't moved."""
        return self.newest_load, self.cursor

    def later(self, at: datetime) -> datetime:
        """Return a time for the next load: later than that of the last one, even when the clock went backwards."""
        return max(at, self.last_applied + timedelta(microseconds=1)) if self.last_applied else at


def is_complete(session: Session) -> bool:
    """Return whether the engine's own tables and functions are there, as this version of leat has them."""
    actual = {table: columns for _, table, columns in session.tables((SCHEMA,))}
    columns_there = all(actual.get(table, {}).keys() >= declared.types.keys() for table, declared in TABLES.items())
    return columns_there and session.has_function(SCHEMA, "known_at")


def create_tables(session: Session) -> None:
    """Create what is missing of the engine's own tables; those of an earlier version of leat get today's columns."""
    if session.dialect.writers_at_once and is_complete(session):
        return
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(SCHEMA)}")
    for table, declared in TABLES.items():
        there = _with_new_names(session, table, session.columns(SCHEMA, table))
        missing = {name: session.dialect.sql_type(kind) for name, kind in declared.types.items() if name not in there}
        if not there:
            listed = ", ".join(f"{quote(name)} {kind}" for name, kind in missing.items())
            session.execute(f"CREATE TABLE IF NOT EXISTS {quote(SCHEMA, table)} ({listed})")
            continue
        for name, kind in missing.items():
            session.execute(f"ALTER TABLE {quote(SCHEMA, table)} ADD COLUMN {quote(name)} {kind}")
    if session.dialect.writers_at_once:  # two that made them at the same time would be in each other's way
        execute_all(session, session.dialect.past_functions())


def _with_new_names(session: Session, table: str, there: Mapping[str, str]) -> dict[str, str]:
    """Rename columns that had other names in an earlier version of leat; return the columns as they are now."""
    renamed = {old: new for old, new in _RENAMED.get(table, {}).items() if old in there}
    for old, new in renamed.items():
        session.execute(f"ALTER TABLE {quote(SCHEMA, table)} RENAME COLUMN {quote(old)} TO {quote(new)}")
    if table == "refreshed" and not there:
        session.execute("DROP TABLE IF EXISTS leat.derived")  # its earlier name; the next refresh writes the mark again
    if renamed and table == "histories":  # they read the column
        execute_all(session, session.dialect.past_functions())
    return {renamed.get(name, name): kind for name, kind in there.items()}


def exists(session: Session) -> bool:
    """Return whether the warehouse has ever been written."""
    return bool(session.columns(SCHEMA, "cursors"))


def read_state(session: Session, integration: str) -> State:
    """Return what the warehouse holds of an integration's past."""
    if not exists(session):
        return State()
    streams = "streams" if "streams" in session.columns(SCHEMA, "cursors") else "NULL"  # an earlier version of leat
    sql = f"SELECT cursor, load_id, {streams} FROM leat.cursors WHERE integration = ?"
    cursors = session.execute(sql, (integration,))
    named = "table_schema" if "table_schema" in session.columns(SCHEMA, "streams") else "shape"  # likewise
    rows = session.execute(f"SELECT stream, {named} FROM leat.streams WHERE integration = ?", (integration,))
    sql = "SELECT max(load_id), max(applied_at) FROM leat.loads WHERE integration = ?"
    newest, applied = session.execute(sql, (integration,))[0]
    cursor, load, listed = cursors[0] if cursors else (None, "", None)
    schemas = {stream: _json(schema) for stream, schema in rows}
    return State(
        cursor=_json(cursor),
        cursor_load=load,
        schemas=schemas,
        covered=frozenset(schemas if listed is None else _json(listed)),
        newest_load=max(newest or "", load),
        last_applied=applied,
        retention=_read_retention(session, integration),
        exists=True,
        column_key=read_column_key(session),
    )


def read_column_key(session: Session) -> ColumnKey | None:
    """Return how columns are encrypted; None before the first one."""
    columns = session.columns(SCHEMA, "column_key")
    if not columns:  # an earlier version of leat
        return None
    rows = session.execute(f"SELECT kid, {'binds' if 'binds' in columns else 'NULL'} FROM leat.column_key")  # likewise
    return ColumnKey(rows[0][0], bool(rows[0][1])) if rows else None


def _read_retention(session: Session, integration: str) -> tuple[str, datetime] | None:
    if not session.columns(SCHEMA, "retention"):  # an earlier version of leat
        return None
    rows = session.execute("SELECT declared, enforced_at FROM leat.retention WHERE integration = ?", (integration,))
    return (rows[0][0], rows[0][1]) if rows else None


def read_changed(session: Session, integration: str) -> int:
    """Return how many rows the last load has added or changed."""
    if not exists(session):
        return 0
    rows = session.execute(
        "SELECT coalesce(sum(inserted + updated), 0) FROM leat.load_streams WHERE integration = ? AND load_id = "
        "(SELECT max(load_id) FROM leat.load_streams WHERE integration = ?)",
        (integration, integration),
    )
    return int(rows[0][0])


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


def write_cursor(
    session: Session, integration: str, load_id: str, cursor: Mapping[str, Any], covered: Iterable[str]
) -> None:
    """Set the cursor of an integration, and the streams whose rows are up to date with it."""
    session.execute("DELETE FROM leat.cursors WHERE integration = ?", (integration,))
    insert(session, "cursors", [(integration, load_id, json.dumps(cursor), json.dumps(sorted(covered)))])


def write_schema(session: Session, integration: str, stream: str, schema: Mapping[str, Any]) -> None:
    """Remember the schema of a stream's table."""
    session.execute("DELETE FROM leat.streams WHERE integration = ? AND stream = ?", (integration, stream))
    insert(session, "streams", [(integration, stream, json.dumps(schema))])


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


def write_log(
    session: Session, load_id: str, integration: str, events: Iterable[tuple[str, Mapping[str, Any]]], at: datetime
) -> None:
    """Record what happened in a load: types of events and their data."""
    rows = [(load_id, integration, kind, json.dumps(data, ensure_ascii=False), at) for kind, data in events]
    insert(session, "log", rows)


def forget_quarantined(session: Session, integration: str, stream: str) -> None:
    """Drop the quarantined records of a stream that is loaded again."""
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
    values = "(" + ", ".join(f"CAST(? AS {session.dialect.sql_type(kind)})" for kind in columns.values()) + ")"
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        flat = [value for row in part for value in row]
        session.change(f"INSERT INTO {into} VALUES {', '.join([values] * len(part))}", flat)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
