"""One transaction on a Postgres connection."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.warehouse.dialect import Dialect, by_table
from leat.warehouse.error_text import values_removed
from leat.warehouse.postgres.dialect import FOLDING, POSTGRES
from leat.warehouse.postgres.grants import release
from leat.warehouse.session import check_files, field_types, quote

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy

_BATCH_ROWS = 65_536
_CURSOR_ROWS = 2_048
_OF_TABLES = re.compile(r"\s*(?:CREATE|ALTER|DROP)\s+(?!TEMP)")
_MARK = re.compile(r"""'[^']*'|"[^"]*"|[?%]""")
"""A parameter, and what might look like one: a text, a name, a per cent sign."""


@dataclass(slots=True)
class PostgresSession:
    """One transaction on a Postgres connection.

    Attributes:
        alchemy: the connection.
        dialect: its dialect.
        guarded: whether there may be row policies and masking views, which have to make way for a change of a table.
        altered: whether a statement has made or changed a table.
    """

    alchemy: sqlalchemy.Connection
    dialect: Dialect = POSTGRES
    guarded: bool = False
    altered: bool = False

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        cursor = self._run(sql, params)
        return list(cursor.fetchall()) if cursor.description else []

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a changing statement and return the number of rows."""
        return int(self._run(sql, params).rowcount)

    def _run(self, sql: str, params: Sequence[Any]) -> Any:
        if self.guarded and _OF_TABLES.match(sql):
            self.altered = True
            for drop in release(self, sql):
                self._run(drop, ())
        sys.audit("leat.statement", sql)
        cursor: Any = self.raw.cursor()
        if FOLDING in sql and self.raw.server_version < 170_000:
            sql = sql.replace(f'"{FOLDING}"', '"und-x-icu"')
        with values_removed(self.dialect):
            if params:
                cursor.execute(_MARK.sub(_as_psycopg2, sql), list(params))
            else:
                cursor.execute(sql)
        return cursor

    def scratch(self) -> None:
        """Return none: files are read by leat, wherever they are."""

    def stage(self, name: str, files: Sequence[Path], schema: pa.Schema, there: Sequence[str] | None = None) -> None:
        """Copy parquet files into a temporary table, in batches."""
        types = field_types(schema)
        check_files(name, files, there or types)
        columns = ", ".join(f"{quote(column)} {self.dialect.sql_type(kind)}" for column, kind in types.items())
        self.execute(f"DROP TABLE IF EXISTS pg_temp.{quote(name)}")
        self.execute(f"CREATE TEMP TABLE {quote(name)} ({columns}) ON COMMIT DROP")
        for file in files:
            self._copy(name, file, dict(zip(types, there or types, strict=True)))
        self.execute(f"ANALYZE {quote(name)}")

    def _copy(self, name: str, file: Path, columns: Mapping[str, str]) -> None:
        """Copy the columns of a file, named by those of the table; one group of rows at a time is in memory."""
        from pyarrow import csv, parquet

        there = list(columns.values())
        sql = f"COPY {quote(name)} ({', '.join(map(quote, columns))}) FROM STDIN WITH (FORMAT csv)"
        sys.audit("leat.statement", sql)
        cursor: Any = self.raw.cursor()
        with parquet.ParquetFile(file) as reader:
            for group in range(reader.num_row_groups):
                for batch in reader.iter_batches(_BATCH_ROWS, row_groups=[group], columns=there):
                    text = io.BytesIO()
                    csv.write_csv(batch.select(there), text, csv.WriteOptions(include_header=False))
                    text.seek(0)
                    with values_removed(self.dialect):
                        cursor.copy_expert(sql, text)

    def batches(self, select: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a SELECT by a cursor of the server."""
        import pyarrow as pa

        sys.audit("leat.statement", select)
        cursor: Any = self.raw.cursor(name="leat_batches")
        with values_removed(self.dialect), contextlib.closing(cursor):
            cursor.execute(select)
            while rows := cursor.fetchmany(_CURSOR_ROWS):
                columns = zip(*rows, strict=True)
                arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def create_temporary(self, name: str, select: str, params: Sequence[Any] = ()) -> None:
        """Store the rows of a SELECT in a temporary table."""
        self.execute(f"DROP TABLE IF EXISTS pg_temp.{quote(name)}")
        self.execute(f"CREATE TEMP TABLE {quote(name)} ON COMMIT DROP AS {select}", params)
        self.execute(f"ANALYZE {quote(name)}")

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return leat type by column name."""
        rows = self.execute(  # information_schema takes ten times as long, and this is asked a thousand times a run
            "SELECT attname, format_type(atttypid, CASE WHEN atttypid = 'numeric'::regtype THEN atttypmod END) "
            "FROM pg_attribute "
            "WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (quote(schema, table),),
        )
        return {name: self.dialect.leat_type(kind) for name, kind in rows}

    def tables(self, schemas: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
        """Return schema, name and columns of each table and view of some schemas."""
        rows = self.execute(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, CASE WHEN a.atttypid = "
            "'numeric'::regtype THEN a.atttypmod END) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = "
            "c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE n.nspname = ANY(?) AND c.relkind IN "
            "('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2, a.attnum",
            (list(schemas),),
        )
        return by_table(rows, self.dialect)

    def has_function(self, schema: str, name: str) -> bool:
        """Return whether there is such a function."""
        there = (
            "SELECT 1 FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = ? "
            "AND p.proname = ?"
        )
        return bool(self.execute(there, (schema, name)))

    def sqlalchemy(self) -> sqlalchemy.Connection:
        """Return the SQLAlchemy connection of this transaction."""
        return self.alchemy

    @property
    def raw(self) -> Any:
        """The psycopg2 connection of this transaction."""
        return self.alchemy.connection.driver_connection


def _as_psycopg2(mark: re.Match[str]) -> str:
    return "%s" if mark[0] == "?" else mark[0].replace("%", "%%")
