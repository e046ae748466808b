"""The schema ``catalog`` of the warehouse: what its tables and columns mean, where they come from, what is checked.

What is declared is written as rows, only when it has changed; what changes with every load is said by views over those
rows and leat's own tables, and so is never stale. The names and columns are the same on DuckDB and Postgres.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from leat.catalog.tables import ALL, TABLES
from leat.catalog.views import VIEWS
from leat.pipelines.declare.declaration import Declaration
from leat.warehouse.session import Session, literal, quote

CATALOG = "catalog"
Row = tuple[Any, ...]
Entries = Mapping[str, Sequence[Row]]
"""The rows of each declared table of :data:`TABLES`, in the order of its columns."""

_CHUNK = 500


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=asdict).encode()).hexdigest()[:16]


_FORM = _hash([ALL, VIEWS])
"""Changes with a version of leat that has other tables and views here."""


def declared_mark(declarations: Mapping[str, Declaration]) -> str:
    """Return a hash of what the catalog says of integrations; cheap enough for a run that finds nothing new."""
    digest = hashlib.sha256(_FORM.encode())
    for name, declaration in sorted(declarations.items()):
        said = declaration.model_dump_json(exclude={"connection"})
        digest.update(f"{name} {declaration.path.name} {said} {declaration.every_stream()!r}\n".encode())
    return digest.hexdigest()


def write_catalog(session: Session, entries: Entries, good_runs: Sequence[Row]) -> bool:
    """Bring the catalog up to date in the open transaction; returns whether what is declared had to be written.

    Readers on Postgres see the old rows until the commit: rows are replaced by DELETE and INSERT. Only another version
    of leat, whose catalog has other columns, recreates the tables and views.
    """
    mark = f"{_FORM} {_hash(entries)}"
    before = _mark(session)
    if not before.startswith(_FORM):
        _create(session)
    _replace(session, "good_runs", good_runs)
    if before == mark:
        return False
    for table, rows in {**entries, "written": [(mark,)]}.items():
        _replace(session, table, rows)
    return True


def _mark(session: Session) -> str:
    rows = session.execute("SELECT mark FROM catalog.written") if session.columns(CATALOG, "written") else []
    return str(rows[0][0]) if rows else ""


def _replace(session: Session, table: str, rows: Sequence[Row]) -> None:
    session.execute(f"DELETE FROM {quote(CATALOG, table)}")
    _insert(session, table, rows)


def _create(session: Session) -> None:
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(CATALOG)}")
    for view in reversed(list(VIEWS)):
        session.execute(f"DROP VIEW IF EXISTS {quote(CATALOG, view)}")
    for table, declared in TABLES.items():
        listed = ", ".join(f"{quote(name)} {session.dialect.sql_type(kind)}" for name, kind in declared.types.items())
        session.execute(f"DROP TABLE IF EXISTS {quote(CATALOG, table)}")
        session.execute(f"CREATE TABLE {quote(CATALOG, table)} ({listed})")
        _comment(session, "TABLE", table)
    for view, select in VIEWS.items():
        session.execute(f"CREATE VIEW {quote(CATALOG, view)} AS {select}")
        _comment(session, "VIEW", view)


def _comment(session: Session, what: str, name: str) -> None:
    """Describe a table and its columns in the database itself, where clients show it."""
    session.execute(f"COMMENT ON {what} {quote(CATALOG, name)} IS {literal(ALL[name].description)}")
    if what == "VIEW" and not session.dialect.describes_views:
        return
    for column in ALL[name].columns:
        session.execute(f"COMMENT ON COLUMN {quote(CATALOG, name, column.name)} IS {literal(column.description)}")


def _insert(session: Session, table: str, rows: Sequence[Row]) -> None:
    places = ", ".join("?" * len(TABLES[table].columns))
    row = f"({places})"  # no CAST: binding thousands of them takes DuckDB twice as long
    for part in _chunks(rows):
        values = [value for entry in part for value in entry]
        session.execute(f"INSERT INTO {quote(CATALOG, table)} VALUES {', '.join([row] * len(part))}", values)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
