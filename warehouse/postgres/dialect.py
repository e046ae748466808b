"""What Postgres does otherwise than DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from leat.warehouse.dialect import DialectName, Statements, Work, changed_in_place, to_leat_type, to_sql_type
from leat.warehouse.postgres.error_text import error_text
from leat.warehouse.session import literal, quote

FOLDING = "pg_c_utf8"
"""The collation by which LOWER and UPPER fold all of Unicode; before Postgres 17 another one does."""

_LOAD_TIME = """
CREATE OR REPLACE FUNCTION leat.load_time(load text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $leat$
DECLARE found_at timestamptz;
BEGIN
    SELECT max(l.applied_at) INTO found_at FROM leat.loads AS l WHERE l.load_id = load;
    IF found_at IS NULL THEN RAISE EXCEPTION 'leat.loads has no load %', load; END IF;
    RETURN found_at;
END $leat$
"""
_MOMENT = """
CREATE OR REPLACE FUNCTION leat.known_at(moment timestamptz, integration text, stream text)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $leat$
DECLARE since timestamptz;
BEGIN
    SELECT h.complete_from INTO since FROM leat.histories AS h
    WHERE h.integration = known_at.integration AND h.stream = known_at.stream;
    IF moment < since THEN
        RAISE EXCEPTION '%.% has history from % on', integration, stream, since;
    END IF;
    RETURN moment;
END $leat$
"""


class PostgresDialect:
    """See :class:`leat.warehouse.dialect.Dialect`."""

    name: DialectName = "postgres"
    engine = "postgres"
    types: Mapping[str, str] = MappingProxyType({
        "string": "text",
        "integer": "bigint",
        "float": "double precision",
        "boolean": "boolean",
        "timestamp": "timestamp with time zone",
        "datetime": "timestamp without time zone",
        "date": "date",
        "json": "jsonb",
    })  # fmt: skip
    decimal = "numeric"
    savepoints = True
    writers_at_once = True
    swaps_tables = False  # a reader whose snapshot is older finds a renamed table empty, but still sees deleted rows
    views_hold_tables = True
    key_index = True
    describes_views = True
    temporary = "pg_temp"
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = ? AND tablename = ?"
    comments = (
        "SELECT a.attname, d.description FROM pg_description AS d JOIN pg_class AS c ON c.oid = d.objoid "
        "AND d.classoid = 'pg_class'::regclass JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_attribute "
        "AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0 WHERE n.nspname = ? AND c.relname = ?"
    )
    size = "SELECT pg_database_size(current_database())"

    def sql_type(self, leat_type: str) -> str:
        """Return the SQL type of a leat type."""
        return to_sql_type(self, leat_type)

    def leat_type(self, sql: str) -> str:
        """Return the leat type of a SQL type."""
        return to_leat_type(self, sql)

    def error_text(self, error: BaseException) -> str | None:
        """Return what Postgres says of its own error."""
        return error_text(error)

    def settings(self, work: Work) -> Statements:
        """Fit the transaction to models; a merge is fine with what the server has."""
        if work != "models":
            return ()
        return (
            "SET LOCAL jit = off",  # compiling a query takes longer than running it
            "SET LOCAL work_mem = '64MB'",  # sorts fit into memory
            "SET LOCAL default_statistics_target = 30",  # a smaller sample serves the next model as well
        )

    def gather_statistics(self, table: str) -> Statements:
        """Return an ANALYZE: without it a query of what was just written may take a hundred times as long."""
        return (f"ANALYZE {table}",)

    def change_type(self, table: str, column: str, kind: str, _comment: str | None) -> Statements:
        """Change it in place."""
        return (changed_in_place(self, table, column, kind),)

    def json_keys(self, column: str) -> str:
        """Return the keys of an object."""
        return f"jsonb_object_keys(CASE jsonb_typeof({column}) WHEN 'object' THEN {column} ELSE '{{}}' END)"

    def row_hashes(self, _alias: str, _columns: Sequence[str]) -> tuple[str, str] | None:
        """Return None: Postgres has no hash over several columns that is faster than comparing them."""
        return None

    def indexed(self, expression: str, kind: str) -> str:
        """Return the hash of a text, for an index takes none of more than 2,700 bytes; any other value itself."""
        return f"hashtextextended({expression}, 0)" if kind == "string" else expression

    def row_id(self, alias: str) -> str:
        """Return the place of the row in the table's file."""
        return f"CAST({alias}.ctid AS VARCHAR)"

    def past_functions(self) -> Statements:
        """Return the functions."""
        return (_LOAD_TIME, _MOMENT)

    def moment(self, schema: str, table: str) -> str:
        """Return the checked moment as a subquery, so that it is computed once and not for each row."""
        return f"(SELECT leat.known_at($1, {literal(schema)}, {literal(table)}))"

    def create_past(self, function: str, columns: Mapping[str, str], select: str, comment: str) -> Statements:
        """Return a set-returning SQL function; the old one is dropped, for what it gives can't be replaced."""
        listed = ", ".join(f"{quote(column)} {self.sql_type(kind)}" for column, kind in columns.items())
        body = f"RETURNS TABLE ({listed}) LANGUAGE sql STABLE AS $leat${select}$leat$"
        return (
            self.drop_past(function),
            f"CREATE FUNCTION {function}(moment timestamptz) {body}",
            f"COMMENT ON FUNCTION {function}(timestamptz) IS {literal(comment)}",
        )

    def drop_past(self, function: str) -> str:
        """Drop the function."""
        return f"DROP FUNCTION IF EXISTS {function}(timestamptz)"


POSTGRES = PostgresDialect()
