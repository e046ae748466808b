"""What there is to move of a warehouse, and making it in the new one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.hooks import tables as hooks
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import as_of, state
from leat.pipelines.load.system_tables import TABLES
from leat.pipelines.load.table_changes import columns_of_the_past, index_table
from leat.sources.stream import Column, arrow_schema
from leat.warehouse.session import Session, WarehouseError, literal, quote

if TYPE_CHECKING:
    import pyarrow as pa

_LEFT_OUT = frozenset({(state.SCHEMA, "refreshed")})
"""It says what models and rules reflect: without it, the next refresh looks at all of them again."""
_HOOKS = "hooks"


@dataclass(frozen=True, slots=True)
class MovedTable:
    """A table to move: leat type by name of the column."""

    schema: str
    name: str
    columns: Mapping[str, str]

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return quote(self.schema, self.name)

    @property
    def select(self) -> str:
        """The query of its rows, JSON as text."""
        columns = (
            f"CAST({quote(name)} AS VARCHAR) AS {quote(name)}" if kind == "json" else quote(name)
            for name, kind in self.columns.items()
        )
        return f"SELECT {', '.join(columns)} FROM {self.quoted}"

    def arrow_schema(self) -> pa.Schema:
        """Return the types of its rows."""
        return arrow_schema(tuple(Column(name, kind, "") for name, kind in self.columns.items()))


def read_tables(session: Session) -> list[MovedTable]:
    """Return all tables to move: leat's own, those of streams and models with their histories, and of webhooks.

    The catalog and views are made again from what is declared.

    Raises:
        WarehouseError: a table is of an earlier version of leat, or somebody has made one with other types.
    """
    if not state.exists(session):
        return []
    stale = [name for name, declared in TABLES.items() if session.columns(state.SCHEMA, name) != declared.types]
    if stale:
        msg = f"leat.{stale[0]} is of an earlier version of leat. Next: `leat run` brings it up to date, then move"
        raise WarehouseError(msg)
    tables = [
        MovedTable(schema, name, session.columns(schema, name))
        for schema, name in _base_tables(session, _schemas(session))
        if (schema, name) not in _LEFT_OUT
        and (schema != state.SCHEMA or name in TABLES)  # a control store may be there
    ]
    for table in tables:
        odd = [name for name, kind in table.columns.items() if kind == "?"]
        if odd:
            msg = (
                f"column {odd[0]} of {table.schema}.{table.name} has a type that leat never makes, so it can't be "
                "moved. Next: move that table to a schema of your own"
            )
            raise WarehouseError(msg)
    return tables


def is_empty(session: Session, schemas: Sequence[str]) -> bool:
    """Return whether a warehouse has no table in some schemas."""
    return not _base_tables(session, schemas)


def _schemas(session: Session) -> list[str]:
    rows = session.execute("SELECT integration FROM leat.streams UNION SELECT integration FROM leat.loads ORDER BY 1")
    return list(dict.fromkeys([state.SCHEMA, *(name for (name,) in rows), ANALYTICS, _HOOKS]))


def _base_tables(session: Session, schemas: Sequence[str]) -> list[tuple[str, str]]:
    places = ", ".join("?" * len(schemas))
    rows = session.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        f"AND table_catalog = current_database() AND table_schema IN ({places}) ORDER BY 1, 2",
        list(schemas),
    )
    return [(str(schema), str(name)) for schema, name in rows]


def make_tables(source: Session, target: Session, tables: Sequence[MovedTable], live: Path) -> None:
    """Make the tables of a warehouse in another one, with their comments, keys and functions, in its transaction.

    Args:
        source: the old warehouse.
        target: the new one.
        tables: what :func:`read_tables` gave.
        live: the folder of webhooks.
    """
    state.create_tables(target)
    if any(table.schema == _HOOKS for table in tables):
        hooks.create_tables(target, live)
        target.execute("DELETE FROM hooks._watermark")  # the row of the old one follows
    for table in tables:
        if table.schema in (state.SCHEMA, _HOOKS):
            continue
        target.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
        listed = ", ".join(f"{quote(name)} {target.dialect.sql_type(kind)}" for name, kind in table.columns.items())
        target.execute(f"CREATE TABLE {table.quoted} ({listed})")
        for column, comment in source.execute(source.dialect.comments, (table.schema, table.name)):
            what = f"TABLE {table.quoted}" if column is None else f"COLUMN {table.quoted}.{quote(column)}"
            target.execute(f"COMMENT ON {what} IS {literal(comment)}")


def finish_tables(target: Session, tables: Sequence[MovedTable]) -> None:
    """Make the indexes and the functions of the past, now that the rows are there."""
    columns = {(table.schema, table.name): table.columns for table in tables}
    for integration, stream, schema in _streams(target):
        if (integration, stream) in columns:
            index_table(target, integration, stream, schema["key"])
    streams = {(integration, stream): schema for integration, stream, schema in _streams(target)}
    for integration, stream in target.execute("SELECT integration, stream FROM leat.histories ORDER BY 1, 2"):
        if (integration, stream) in streams:
            past = columns_of_the_past(streams[integration, stream]["columns"])
        elif (integration, stream) in columns:
            past = {name: (kind, f"h.{quote(name)}") for name, kind in columns[integration, stream].items()}
        else:  # a model that is a view: it is built again, with its function
            continue
        as_of.create_as_of(target, integration, stream, past)
    for table in tables:
        for statement in target.dialect.gather_statistics(table.quoted):
            target.execute(statement)


def _streams(session: Session) -> Iterator[tuple[str, str, Any]]:
    for integration, stream, schema in session.execute("SELECT integration, stream, table_schema FROM leat.streams"):
        yield integration, stream, json.loads(schema) if isinstance(schema, str) else schema
