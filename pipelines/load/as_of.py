"""Functions that give a table with history as it was at an earlier time, for analysts' own SQL.

::

    SELECT * FROM payments.charges_as_of(TIMESTAMPTZ '2026-11-01')
    SELECT * FROM payments.charges_as_of(leat.load_time('20261101T090000123456'))

They are table macros on DuckDB, on Postgres set-returning SQL functions that its planner inlines. What they give has
the columns of the table, so that a query of today becomes one of the past by a change of the name alone. A time of
before the history is an error and not an empty table: ``leat.histories`` has from when on each history is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from leat.pipelines.load import state
from leat.warehouse.session import Session, execute_all, quote

SUFFIX = "_as_of"


def has_as_of(session: Session, schema: str, table: str) -> bool:
    """Return whether a table has its function."""
    return session.has_function(schema, table + SUFFIX)


def create_as_of(session: Session, schema: str, table: str, columns: Mapping[str, tuple[str, str]]) -> None:
    """Create the function of a table, or replace it when the columns have changed, in the open transaction.

    Args:
        session: the writing transaction.
        schema: of the table, and of its history ``<table>_history``.
        table: its name.
        columns: of each column that the function gives, its leat type and the expression over the history.
    """
    dialect = session.dialect
    moment = dialect.moment(schema, table)
    selected = ", ".join(f"{expression} AS {quote(name)}" for name, (_, expression) in columns.items())
    select = (
        f"SELECT {selected} FROM {quote(schema, table + '_history')} AS h "
        f"WHERE h.valid_from <= {moment} AND (h.valid_to > {moment} OR h.valid_to IS NULL)"
    )
    kinds = {column: kind for column, (kind, _) in columns.items()}
    comment = f"{schema}.{table} as it was at a moment; see leat.histories for how far back."
    if not dialect.writers_at_once:  # else they were made with leat's own tables
        execute_all(session, dialect.past_functions())
    execute_all(session, dialect.create_past(quote(schema, table + SUFFIX), kinds, select, comment))


def drop_as_of(session: Session, schema: str, table: str) -> None:
    """Drop the function of a table; its history stays."""
    session.execute(session.dialect.drop_past(quote(schema, table + SUFFIX)))
    session.execute("DELETE FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table))


def complete_from(session: Session, schema: str, table: str) -> datetime | None:
    """Return from when on the history of a table is complete; None when it has none."""
    rows = session.execute(
        "SELECT complete_from FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table)
    )
    return rows[0][0] if rows else None


def set_complete_from(session: Session, schema: str, table: str, moment: datetime) -> None:
    """Remember from when on the history of a table is complete."""
    session.execute("DELETE FROM leat.histories WHERE integration = ? AND stream = ?", (schema, table))
    state.insert(session, "histories", [(schema, table, moment)])


def first_version(session: Session, schema: str, table: str) -> datetime | None:
    """Return when the oldest stored version began, for a history that an earlier leat began."""
    rows = session.execute(f"SELECT min(valid_from) FROM {quote(schema, table + '_history')}")
    moment: datetime | None = rows[0][0]
    return moment
