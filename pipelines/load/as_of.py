"""Functions that give a table with history as it was at an earlier time, for analysts' own SQL.

::

    SELECT * FROM payments.charges_as_of(TIMESTAMPTZ '2026-11-01')
    SELECT * FROM payments.charges_as_of(leat.load_time('20261101T090000123456'))

They are table macros on DuckDB, on Postgres set-returning SQL functions that its planner inlines. What they give has
the columns of the table, so that a query of today becomes one of the past by a change of the name alone. A time of
which nothing is known is an error and not an empty table: ``leat.histories`` has from when on each table is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from leat.pipelines.load import state
from leat.warehouse.session import Session, literal, quote, sql_type

SUFFIX = "_as_of"

_LOAD_TIME = {
    "duckdb": """
        CREATE OR REPLACE MACRO leat.load_time(_load) AS COALESCE(
            (SELECT max(applied_at) FROM leat.loads WHERE load_id = _load),
            CAST(error('leat.loads has no load ' || _load) AS TIMESTAMPTZ))""",
    "postgres": """
        CREATE OR REPLACE FUNCTION leat.load_time(load text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $leat$
        DECLARE found_at timestamptz;
        BEGIN
            SELECT max(l.applied_at) INTO found_at FROM leat.loads AS l WHERE l.load_id = load;
            IF found_at IS NULL THEN RAISE EXCEPTION 'leat.loads has no load %', load; END IF;
            RETURN found_at;
        END $leat$""",
}
_KNOWN = {
    "duckdb": """
        CREATE OR REPLACE MACRO leat.known_at(_moment, _integration, _stream) AS (
            SELECT CASE WHEN CAST(_moment AS TIMESTAMPTZ) >= known_from THEN CAST(_moment AS TIMESTAMPTZ)
                ELSE CAST(error(_integration || '.' || _stream || ' has history from ' || known_from || ' on')
                    AS TIMESTAMPTZ) END
            FROM leat.histories WHERE integration = _integration AND stream = _stream)""",
    "postgres": """
        CREATE OR REPLACE FUNCTION leat.known_at(moment timestamptz, integration text, stream text)
        RETURNS timestamptz LANGUAGE plpgsql STABLE AS $leat$
        DECLARE since timestamptz;
        BEGIN
            SELECT h.known_from INTO since FROM leat.histories AS h
            WHERE h.integration = known_at.integration AND h.stream = known_at.stream;
            IF moment < since THEN
                RAISE EXCEPTION '%.% has history from % on', integration, stream, since;
            END IF;
            RETURN moment;
        END $leat$""",
}


def has_as_of(session: Session, schema: str, table: str) -> bool:
    """Return whether a table has its function."""
    catalog = {
        "duckdb": "duckdb_functions() WHERE schema_name = ? AND function_name = ? AND database_name = "
        "current_database()",
        "postgres": "pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = ? "
        "AND p.proname = ?",
    }
    return bool(session.execute(f"SELECT 1 FROM {catalog[session.dialect]}", (schema, table + SUFFIX)))


def create_as_of(session: Session, schema: str, table: str, columns: Mapping[str, tuple[str, str]]) -> None:
    """Create the function of a table, or replace it when the columns have changed, in the open transaction.

    Args:
        session: the writing transaction.
        schema: of the table, and of its history ``<table>_history``.
        table: its name.
        columns: of each column that the function gives, its leat type and the expression over the history.
    """
    session.execute(_LOAD_TIME[session.dialect])
    session.execute(_KNOWN[session.dialect])
    moment = "_moment" if session.dialect == "duckdb" else "$1"
    known = f"leat.known_at({moment}, {literal(schema)}, {literal(table)})"
    if session.dialect == "postgres":
        known = f"(SELECT {known})"  # called once, not for each row
    selected = ", ".join(f"{expression} AS {quote(name)}" for name, (_, expression) in columns.items())
    select = (
        f"SELECT {selected} FROM {quote(schema, table + '_history')} AS h "
        f"WHERE h.valid_from <= {known} AND (h.valid_to > {known} OR h.valid_to IS NULL)"
    )
    name = quote(schema, table + SUFFIX)
    if session.dialect == "duckdb":
        session.execute(f"CREATE OR REPLACE MACRO {name}(_moment) AS TABLE {select}")
        return
    session.execute(f"DROP FUNCTION IF EXISTS {name}(timestamptz)")  # what it gives can't be replaced
    listed = ", ".join(f"{quote(column)} {sql_type(kind, 'postgres')}" for column, (kind, _) in columns.items())
    body = f"RETURNS TABLE ({listed}) LANGUAGE sql STABLE AS $leat${select}$leat$"
    session.execute(f"CREATE FUNCTION {name}(moment timestamptz) {body}")
    text = literal(f"{schema}.{table} as it was at a moment; see leat.histories for how far back.")
    session.execute(f"COMMENT ON FUNCTION {name}(timestamptz) IS {text}")


def drop_as_of(session: Session, schema: str, table: str) -> None:
    """Drop the function of a table; its history stays."""
    name = quote(schema, table + SUFFIX)
    if session.dialect == "duckdb":
        session.execute(f"DROP MACRO TABLE IF EXISTS {name}")
    else:
        session.execute(f"DROP FUNCTION IF EXISTS {name}(timestamptz)")
    session.execute("DELETE FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table))


def known_from(session: Session, schema: str, table: str) -> datetime | None:
    """Return from when on the history of a table is complete; None when it has none."""
    found = session.execute(
        "SELECT known_from FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table)
    )
    return found[0][0] if found else None


def set_known_from(session: Session, schema: str, table: str, moment: datetime) -> None:
    """Remember from when on the history of a table is complete."""
    session.execute("DELETE FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table))
    state.insert(session, "histories", [(schema, table, moment)])


def first_version(session: Session, schema: str, table: str) -> datetime | None:
    """Return when the oldest version that is kept began, for a history that was begun by an earlier leat."""
    found = session.execute(f"SELECT min(valid_from) FROM {quote(schema, table + '_history')}")
    moment: datetime | None = found[0][0]
    return moment
