"""One transaction on a DuckDB connection."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.warehouse.dialect import Dialect, by_table
from leat.warehouse.duckdb.binding import without_pandas
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.duckdb.interrupt import interruptible
from leat.warehouse.error_text import remove_values, values_removed
from leat.warehouse.session import OutOfMemory, check_files, field_types, literal, quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import sqlalchemy

_OF_SCHEMAS = ("CREATE", "ALTER", "DROP", "ATTACH", "DETACH", "USE")
_VECTOR = 2048
_WORD = max(map(len, _OF_SCHEMAS))


@dataclass(slots=True)
class DuckDBSession:
    """One transaction on a DuckDB connection."""

    connection: duckdb.DuckDBPyConnection
    dialect: Dialect = DUCKDB
    _alchemy: sqlalchemy.Connection | None = None
    _columns: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _all_columns: bool = False

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        sys.audit("leat.statement", sql)
        if sql.lstrip()[:_WORD].upper().startswith(_OF_SCHEMAS):
            self._columns.clear()
            self._all_columns = False
        import duckdb

        try:
            with interruptible(self.connection), values_removed(self.dialect):
                if not params:
                    return self.connection.execute(sql).fetchall()
                with without_pandas():
                    answer = self.connection.execute(sql, params)
                return answer.fetchall()
        except duckdb.OutOfMemoryException as error:
            msg = f"{error}. Next: leave large columns out by exclude, or run it where there is more memory"
            raise OutOfMemory(msg) from error

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a changing statement and return the number of rows."""
        return int(self.execute(sql, params)[0][0])

    def stage(self, name: str, files: Sequence[Path], schema: pa.Schema, there: Sequence[str] | None = None) -> None:
        """Make a temporary view of parquet files; nothing is copied."""
        types = field_types(schema)
        in_files = dict(zip(types, there or types, strict=True))
        check_files(name, files, in_files.values())
        listed = ", ".join(literal(str(file)) for file in files)
        relation = f" FROM read_parquet([{listed}], union_by_name = true)" if files else " WHERE false"
        selected = ", ".join(
            f"CAST({quote(in_files[column]) if files else 'NULL'} AS {self.dialect.sql_type(kind)}) AS {quote(column)}"
            for column, kind in types.items()
        )
        self.execute(f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS SELECT {selected}{relation}")

    def scratch(self) -> Path:
        """Return a private folder in the state folder, for no other file can be read."""
        folder = Path(str(self.execute("SELECT current_setting('temp_directory')")[0][0]))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def batches(self, select: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a SELECT, a vector at a time."""
        sys.audit("leat.statement", select)
        with interruptible(self.connection), values_removed(self.dialect):
            for batch in self.connection.execute(select).to_arrow_reader(_VECTOR):
                yield batch.cast(schema)

    def create_temporary(self, name: str, select: str, params: Sequence[Any] = ()) -> None:
        """Store the rows of a SELECT in a temporary table."""
        self.execute(f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS {select}", params)

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return leat type by column name; none when there is no such table.

        A table is asked for by itself: asked for all, DuckDB binds every view of the file. Where that fails, all are
        asked for: there is no such table, or it is a view that can't be bound. The answers hold until a statement
        changes a table, because a transaction doesn't see what other connections do.
        """
        if (schema, table) not in self._columns and not self._all_columns:
            import duckdb

            name = literal(f"{quote(schema)}.{quote(table)}")
            try:
                rows = self.execute(f"SELECT name, type FROM pragma_table_info({name})")
                self._columns[schema, table] = {column: self.dialect.leat_type(kind) for column, kind in rows}
            except (duckdb.CatalogException, duckdb.BinderException):
                self._read_all_columns()
        return dict(self._columns.get((schema, table), {}))

    def tables(self, schemas: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
        """Return schema, name and columns of each table and view of some schemas."""
        rows = self.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND list_contains(?, schema_name) "
            "ORDER BY schema_name, table_name, column_index",
            (list(schemas),),
        )
        return by_table(rows, self.dialect)

    def has_function(self, schema: str, name: str) -> bool:
        """Return whether there is such a function.

        A query of it is bound and not run: ``duckdb_functions()`` lists all 3,000 functions, in 10 ms. The transaction
        goes on when there is none.
        """
        import duckdb

        try:
            self.execute(f"EXPLAIN SELECT * FROM {quote(schema, name)}(NULL)")
        except duckdb.CatalogException:
            return False
        return True

    def _read_all_columns(self) -> None:
        rows = self.execute(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() ORDER BY schema_name, table_name, column_index"
        )
        self._columns.clear()
        for schema, table, column, kind in rows:
            self._columns.setdefault((schema, table), {})[column] = self.dialect.leat_type(kind)
        self._all_columns = True

    def sqlalchemy(self) -> sqlalchemy.Connection:
        """Return this transaction as a SQLAlchemy connection that can neither commit nor close it."""
        if self._alchemy is None:
            import sqlalchemy
            from duckdb_engine import ConnectionWrapper

            class Borrowed(ConnectionWrapper):
                def begin(self) -> None: ...  # the transaction is open; DuckDB gives it up at a second BEGIN
                def commit(self) -> None: ...
                def rollback(self) -> None: ...
                def close(self) -> None: ...

            engine = sqlalchemy.create_engine(
                "duckdb://", creator=lambda: Borrowed(self.connection), poolclass=sqlalchemy.StaticPool
            )
            remove_values(engine, self.dialect)
            self._alchemy = engine.connect()
        return self._alchemy
