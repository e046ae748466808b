"""One file of a role: which version of each table is in it, and how tables get into it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from leat.warehouse.clearance import Table, TableClearance
from leat.warehouse.duckdb.form import FileForm
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.session import Session, quote

log = logging.getLogger("leat.clearance")

Contents = dict[str, list[str | None]]
"""By table: a hash of what the role may read of it, and the version of its rows; None for one that always counts as
changed, such as the small tables of leat itself."""

_STREAMS = """SELECT integration || '.' || stream, max(load_id) FROM leat.load_streams
WHERE inserted + updated + deleted + coalesce(purged, 0) > 0 GROUP BY ALL"""
_MODELS = "SELECT 'analytics.' || model, fingerprint || ' ' || built_at FROM leat.models"
_KINDS = "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE database_name = 'warehouse' AND NOT internal"
_PAST = """SELECT schema_name, function_name, function_type, parameters, macro_definition FROM duckdb_functions()
WHERE database_name = 'warehouse' AND NOT internal AND function_type IN ('table_macro', 'macro')"""


def contents_of(session: Session, tables: Mapping[Table, TableClearance]) -> Contents:
    """Return what the file of a role has to have.

    Args:
        session: of the published file.
        tables: what the role may read.
    """
    versions: dict[str, str] = {}
    for query, table in ((_STREAMS, "load_streams"), (_MODELS, "models")):
        if session.columns("leat", table):
            versions |= {name: version for name, version in session.execute(query)}
    views = {name for (name,) in session.execute(_KINDS)}
    contents: Contents = {}
    for (schema, table), clearance in tables.items():
        name = f"{schema}.{table}"
        version = None if name in views else versions.get(name) or versions.get(name.removesuffix("_history"))
        types = session.columns(schema, table)
        shown = repr([_select(schema, table, clearance), [types[column] for column in clearance.columns]])
        contents[name] = [hashlib.sha256(shown.encode()).hexdigest(), version]
    return contents


def build_file(
    session: DuckDBSession,
    form: FileForm,
    path: Path,
    changed: Mapping[Table, TableClearance],
    tables: Mapping[Table, TableClearance],
) -> None:
    """Write tables into a file, which is made where it isn't there.

    Args:
        session: of the published file, which is the catalog ``warehouse``.
        form: of the file.
        path: the file.
        changed: the tables to write.
        tables: all that the file has then.
    """
    form.attach(session.connection, path, "made", read_only=False)
    try:
        session.execute("BEGIN")
        for schema in sorted({schema for schema, _ in changed}):
            session.execute(f"CREATE SCHEMA IF NOT EXISTS made.{quote(schema)}")
        for (schema, table), clearance in changed.items():
            select = _select(f"warehouse.{quote(schema)}", table, clearance, quoted=True)
            session.execute(f"CREATE OR REPLACE TABLE made.{quote(schema, table)} AS {select}")
        _copy_past(session, tables)
        session.execute("COMMIT")
        session.execute("CHECKPOINT made")
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong before says more
            session.execute("ROLLBACK")
        raise
    finally:
        session.execute("DETACH made")


def _select(schema: str, table: str, clearance: TableClearance, *, quoted: bool = False) -> str:
    listed = ", ".join(
        quote(name) if instead is None else f"{instead} AS {quote(name)}" for name, instead in clearance.columns.items()
    )
    where = f" WHERE {clearance.rows}" if clearance.rows else ""
    return f"SELECT {listed} FROM {schema if quoted else quote(schema)}.{quote(table)}{where}"


def _copy_past(session: Session, tables: Mapping[Table, TableClearance]) -> None:
    """Let the functions of a table's past be there, where the role may read all columns that they give."""
    for schema, name, kind, parameters, definition in session.execute(_PAST):
        history = tables.get((schema, f"{name.removesuffix('_as_of')}_history"))
        if name.endswith("_as_of") and (history is None or not history.every_column):
            continue
        if schema == "leat" and ("leat", "loads") not in tables:
            continue
        how = "TABLE " if kind == "table_macro" else ""
        made = f"made.{quote(schema, name)}({', '.join(parameters)})"
        session.execute(f"CREATE OR REPLACE MACRO {made} AS {how}{definition}")
