"""What DuckLake does otherwise than DuckDB, whose SQL it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leat.warehouse.dialect import DialectName, Statements, Work
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.session import literal, quote

_FRESH = "_fresh_"  # before the name: no column of leat is called like that


class DuckLakeDialect:
    """See :class:`leat.warehouse.dialect.Dialect`."""

    name: DialectName = "duckdb"
    engine = "ducklake"
    types: Mapping[str, str] = DUCKDB.types
    decimal = DUCKDB.decimal
    savepoints = False
    writers_at_once = False
    swaps_tables = True  # readers have the published catalog
    views_hold_tables = False
    key_index = False
    describes_views = False
    temporary = DUCKDB.temporary
    indexes = DUCKDB.indexes
    comments = DUCKDB.comments
    size = (
        "SELECT CAST(coalesce(sum(file_size_bytes + delete_file_size_bytes), 0) AS BIGINT) "
        "FROM ducklake_table_info(current_database())"
    )

    def sql_type(self, leat_type: str) -> str:
        """Return the SQL type of a leat type."""
        return DUCKDB.sql_type(leat_type)

    def leat_type(self, sql: str) -> str:
        """Return the leat type of a SQL type."""
        return DUCKDB.leat_type(sql)

    def error_text(self, error: BaseException) -> str | None:
        """Return what DuckDB says of its own error."""
        return DUCKDB.error_text(error)

    def settings(self, work: Work) -> Statements:
        """Limit a merge as on DuckDB."""
        return DUCKDB.settings(work)

    def gather_statistics(self, table: str) -> Statements:
        """Return nothing: they are written with each file."""
        return DUCKDB.gather_statistics(table)

    def change_type(self, table: str, column: str, kind: str, comment: str | None) -> Statements:
        """Fill another column and let it take the name: DuckLake itself only widens numbers."""
        fresh, old = quote(_FRESH + column), quote(column)
        made = (
            f"ALTER TABLE {table} ADD COLUMN {fresh} {kind}",
            f"UPDATE {table} SET {fresh} = CAST(CAST({old} AS {self.sql_type('string')}) AS {kind})",
            f"ALTER TABLE {table} DROP COLUMN {old}",
            f"ALTER TABLE {table} RENAME COLUMN {fresh} TO {old}",
        )
        described = () if comment is None else (f"COMMENT ON COLUMN {table}.{old} IS {literal(comment)}",)
        return (*made, *described)

    def json_keys(self, column: str) -> str:
        """Return the keys of an object."""
        return DUCKDB.json_keys(column)

    def row_hashes(self, alias: str, columns: Sequence[str]) -> tuple[str, str] | None:
        """Return the hashes."""
        return DUCKDB.row_hashes(alias, columns)

    def indexed(self, _expression: str, _kind: str) -> None:
        """Return none: DuckLake has no indexes."""

    def row_id(self, alias: str) -> str:
        """Return the number of the row."""
        return DUCKDB.row_id(alias)

    def past_functions(self) -> Statements:
        """Return the macros."""
        return DUCKDB.past_functions()

    def moment(self, schema: str, table: str) -> str:
        """Return the checked moment."""
        return DUCKDB.moment(schema, table)

    def create_past(self, function: str, columns: Mapping[str, str], select: str, comment: str) -> Statements:
        """Return a table macro."""
        return DUCKDB.create_past(function, columns, select, comment)

    def drop_past(self, function: str) -> str:
        """Drop the macro."""
        return DUCKDB.drop_past(function)


class SharedLakeDialect(DuckLakeDialect):
    """The same where several machines write."""

    writers_at_once = True


DUCKLAKE = DuckLakeDialect()
SHARED_LAKE = SharedLakeDialect()
