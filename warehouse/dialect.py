"""What differs between the engines: one class for each, as data and as the text of statements.

A module outside this folder never asks which engine it works on. It asks for what it needs: a type, a statement, or
whether the engine can do something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

DialectName = Literal["duckdb", "postgres"]
"""The name of a dialect in messages, in sqlglot, and of the text of a query that is written for each."""

Work = Literal["merge", "merge_large_rows", "models"]
"""What a transaction is about to do; large rows have many megabytes, and an engine holds some thousand at a time."""

Statements = tuple[str, ...]
"""Statements to be executed in this order; none where an engine needs none."""

_MAX_DIGITS = 38  # Postgres takes more, DuckDB doesn't


class Dialect(Protocol):
    """One engine's way to say things.

    Attributes:
        name: what its SQL is called.
        engine: what the engine is called in messages.
        types: SQL type by leat type, as ``information_schema`` names it; decimals apart.
        decimal: the SQL type of a decimal without its digits.
        savepoints: whether a statement that failed can be undone alone.
        writers_at_once: whether several transactions write at the same time.
        swaps_tables: whether readers don't notice when a table is dropped and another is renamed to its name. Where
            they do, rows are replaced.
        views_hold_tables: whether a table that a view reads can't be dropped.
        key_index: whether a table has a unique index on its key. DuckDB takes a delete and an insert of one key in a
            transaction for a violation.
        describes_views: whether a column of a view can have a comment.
        temporary: the schema of temporary tables.
        indexes: query of the names of a table's indexes; its parameters are schema and table.
        comments: query of the comment on a table, with null, and of those on its columns, with their names; likewise.
        size: query of the bytes that the warehouse has on disk.
    """

    name: DialectName
    engine: str
    types: Mapping[str, str]
    decimal: str
    savepoints: bool
    writers_at_once: bool
    swaps_tables: bool
    views_hold_tables: bool
    key_index: bool
    describes_views: bool
    temporary: str
    indexes: str
    comments: str
    size: str

    def sql_type(self, leat_type: str) -> str:
        """Return the SQL type of a leat type (see :data:`leat.sources.stream.Type`)."""

    def leat_type(self, sql: str) -> str:
        """Return the leat type of a SQL type as ``information_schema`` names it; ``?`` for one that leat never creates.

        A decimal has its digits: ``numeric(18,4)``.
        """

    def error_text(self, error: BaseException) -> str | None:
        """Return in one line what the engine says of its own error, without values of rows; None for any other."""

    def settings(self, work: Work) -> Statements:
        """Return the statements that fit the rest of a transaction to its work."""

    def gather_statistics(self, table: str) -> Statements:
        """Return the statements after which the planner knows what is in a table that has changed a lot."""

    def change_type(self, table: str, column: str, kind: str, comment: str | None) -> Statements:
        """Return the statements that give a column another SQL type; its values are converted by way of text.

        Args:
            table: its quoted name.
            column: its name.
            kind: the SQL type.
            comment: the comment on the column.
        """

    def json_keys(self, column: str) -> str:
        """Return the expression that gives a row for each key of the object in a JSON column."""

    def row_hashes(self, alias: str, columns: Sequence[str]) -> tuple[str, str] | None:
        """Return two expressions that have the same values for the same values of quoted columns, by 64 bits each.

        None where it is faster to compare the columns themselves.
        """

    def indexed(self, expression: str, kind: str) -> str | None:
        """Return the expression by which an index finds the rows with some value; None where an engine scans for it.

        Args:
            expression: of the value.
            kind: its leat type.
        """

    def row_id(self, alias: str) -> str:
        """Return the expression, a text, that identifies a row of a table within a transaction."""

    def past_functions(self) -> Statements:
        """Return what makes ``leat.load_time`` and ``leat.known_at``; see :mod:`leat.pipelines.load.as_of`."""

    def moment(self, schema: str, table: str) -> str:
        """Return the expression of the moment that a function of a table's past is asked for, once it is checked."""

    def create_past(self, function: str, columns: Mapping[str, str], select: str, comment: str) -> Statements:
        """Return the statements that make or replace a function of a table's past.

        Args:
            function: its quoted name.
            columns: leat type by the name of each column that it gives.
            select: what it gives; it has the moment as :meth:`known_at` writes it.
            comment: what it is.
        """

    def drop_past(self, function: str) -> str:
        """Return the statement that drops a function of a table's past."""


def to_sql_type(dialect: Dialect, leat_type: str) -> str:
    """Return the SQL type of a leat type in a dialect."""
    if leat_type.startswith("decimal("):
        return leat_type.replace("decimal", dialect.decimal)
    return dialect.types[leat_type]


def to_leat_type(dialect: Dialect, sql: str) -> str:
    """Return the leat type of a dialect's SQL type; ``?`` for one that leat never creates."""
    for name, written in dialect.types.items():
        if written == sql:
            return name
    match = re.fullmatch(rf"{dialect.decimal}\(([0-9]+),([0-9]+)\)", sql)
    return f"decimal({match[1]},{match[2]})" if match and int(match[1]) <= _MAX_DIGITS else "?"


def changed_in_place(dialect: Dialect, table: str, column: str, kind: str) -> str:
    """Return the statement that gives a column another SQL type, for :meth:`Dialect.change_type`."""
    name = '"' + column.replace('"', '""') + '"'
    as_text = f"CAST({name} AS {dialect.sql_type('string')})"
    return f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {kind} USING CAST({as_text} AS {kind})"


def by_table(rows: Iterable[tuple[Any, ...]], dialect: Dialect) -> list[tuple[str, str, dict[str, str]]]:
    """Return schema, table and leat type by column, of rows of schema, table, column and SQL type in order."""
    tables: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in rows:
        tables.setdefault((schema, table), {})[column] = dialect.leat_type(kind)
    return [(*name, columns) for name, columns in tables.items()]
