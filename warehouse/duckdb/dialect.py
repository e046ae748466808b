"""What DuckDB does otherwise than Postgres."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from leat.warehouse.dialect import DialectName, Statements, Work, changed_in_place, to_leat_type, to_sql_type
from leat.warehouse.duckdb.error_text import error_text
from leat.warehouse.session import literal

_LOAD_TIME = """
CREATE OR REPLACE MACRO leat.load_time(_load) AS COALESCE(
    (SELECT max(applied_at) FROM leat.loads WHERE load_id = _load),
    CAST(error('leat.loads has no load ' || _load) AS TIMESTAMPTZ))
"""
_MOMENT = """
CREATE OR REPLACE MACRO leat.known_at(_moment, _integration, _stream) AS (
    SELECT CASE WHEN CAST(_moment AS TIMESTAMPTZ) >= complete_from THEN CAST(_moment AS TIMESTAMPTZ)
        ELSE CAST(error(_integration || '.' || _stream || ' has history from ' || complete_from || ' on')
            AS TIMESTAMPTZ) END
    FROM leat.histories WHERE integration = _integration AND stream = _stream)
"""


class DuckDBDialect:
    """See :class:`leat.warehouse.dialect.Dialect`."""

    name: DialectName = "duckdb"
    engine = "duckdb"
    types: Mapping[str, str] = MappingProxyType({
        "string": "VARCHAR",
        "integer": "BIGINT",
        "float": "DOUBLE",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
        "datetime": "TIMESTAMP",
        "date": "DATE",
        "json": "JSON",
    })  # fmt: skip
    decimal = "DECIMAL"
    savepoints = False
    writers_at_once = False
    swaps_tables = True  # readers have the published file
    views_hold_tables = False
    key_index = False
    describes_views = True
    temporary = "temp"
    indexes = "SELECT index_name FROM duckdb_indexes() WHERE schema_name = ? AND table_name = ?"
    comments = (
        "SELECT name, comment FROM (SELECT NULL AS name, comment, schema_name, table_name, database_name "
        "FROM duckdb_tables() UNION ALL SELECT column_name, comment, schema_name, table_name, database_name "
        "FROM duckdb_columns()) WHERE schema_name = ? AND table_name = ? AND database_name = current_database() "
        "AND comment IS NOT NULL"
    )
    size = "SELECT total_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()"

    def sql_type(self, leat_type: str) -> str:
        """Return the SQL type of a leat type."""
        return to_sql_type(self, leat_type)

    def leat_type(self, sql: str) -> str:
        """Return the leat type of a SQL type."""
        return to_leat_type(self, sql)

    def error_text(self, error: BaseException) -> str | None:
        """Return what DuckDB says of its own error."""
        return error_text(error)

    def settings(self, work: Work) -> Statements:
        """Limit a merge to 256 MB: measured on 10 million rows, it is as fast as with twice as much; more is spilled.

        Large rows may take half of the machine's memory.
        """
        if work == "models":
            return ()
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21
        return (f"SET memory_limit = '{half if work == 'merge_large_rows' else 256}MB'",)

    def gather_statistics(self, _table: str) -> Statements:
        """Return nothing: DuckDB gathers them while it writes."""
        return ()

    def change_type(self, table: str, column: str, kind: str, _comment: str | None) -> Statements:
        """Change it in place."""
        return (changed_in_place(self, table, column, kind),)

    def json_keys(self, column: str) -> str:
        """Return the keys of an object."""
        return f"unnest(json_keys({column}))"

    def row_hashes(self, alias: str, columns: Sequence[str]) -> tuple[str, str] | None:
        """Return the hashes over the columns in both orders.

        So a join holds 16 bytes a row and not the row: measured on 10 million rows of ten columns, a third of the time,
        in less memory. That two different versions of one row have both hashes in common has a chance of 2 to the power
        of -128.
        """
        if not columns:
            return None
        forth = ", ".join(f"{alias}.{column}" for column in columns)
        back = ", ".join(f"{alias}.{column}" for column in reversed(columns))
        return f"hash({forth}, 1)", f"hash({back}, 2)"

    def indexed(self, _expression: str, _kind: str) -> None:
        """Return none: its indexes are as large as the column and serve one value at a time."""

    def row_id(self, alias: str) -> str:
        """Return the number of the row."""
        return f"CAST({alias}.rowid AS VARCHAR)"

    def past_functions(self) -> Statements:
        """Return the macros."""
        return (_LOAD_TIME, _MOMENT)

    def moment(self, schema: str, table: str) -> str:
        """Return the checked moment."""
        return f"leat.known_at(_moment, {literal(schema)}, {literal(table)})"

    def create_past(self, function: str, _columns: Mapping[str, str], select: str, _comment: str) -> Statements:
        """Return a table macro, which can be replaced, and can't be described."""
        return (f"CREATE OR REPLACE MACRO {function}(_moment) AS TABLE {select}",)

    def drop_past(self, function: str) -> str:
        """Drop the macro."""
        return f"DROP MACRO TABLE IF EXISTS {function}"


DUCKDB = DuckDBDialect()
