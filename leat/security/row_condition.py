"""The condition of the rows that a role may read: on columns of one table, and the same on both engines."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from leat.pipelines.declare.diagnostics import meant

if TYPE_CHECKING:
    from sqlglot import exp

    from leat.warehouse.dialect import DialectName


class BadCondition(ValueError):
    """A condition can't be used; the text says why."""


def check_condition(where: str, columns: Collection[str] | None = None) -> None:
    """Check a condition.

    Args:
        where: the condition, in DuckDB's dialect.
        columns: of the table; None to leave that open.

    Raises:
        BadCondition: it is none, reads more than columns of the table, or isn't proven to be the same on both engines.
    """
    from sqlglot import exp

    from leat.pipelines.declare.portable import unportable

    query = _query(where)
    reading = query.args["where"].find(exp.Query, exp.AggFunc, exp.Window, exp.Star)
    if reading is not None:
        msg = f"`{reading.sql('duckdb')[:60]}`: a condition reads columns of its own row alone, without subqueries"
        raise BadCondition(msg)
    for column in query.find_all(exp.Column):
        if column.table:
            msg = f"write the column {column.name} without a table"
            raise BadCondition(msg)
        if columns is not None and column.name not in columns:
            msg = f"the table has no column {column.name!r}{meant(column.name, columns)}"
            raise BadCondition(msg)
    for _, text in unportable(query):
        raise BadCondition(text)


@lru_cache(maxsize=256)
def condition_text(where: str, dialect: DialectName) -> str:
    """Return a condition in a dialect, with quoted names.

    Raises:
        BadCondition: it can't be read.
    """
    from leat.pipelines.declare.transpile import as_postgres, made_equal

    query = _query(where)
    made = as_postgres(query) if dialect == "postgres" else made_equal(query)
    text: str = made.args["where"].this.sql(dialect, identify=True, comments=False)
    return text


def _query(where: str) -> exp.Select:
    import sqlglot
    from sqlglot import exp

    try:
        query = sqlglot.parse_one(f"SELECT 1 WHERE (\n{where}\n)", read="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        msg = f"it isn't understood: {str(error).splitlines()[0][:200]}"
        raise BadCondition(msg) from error
    condition = query.args.get("where")
    if not isinstance(query, exp.Select) or condition is None or not isinstance(condition.this, exp.Paren):
        msg = "it isn't one condition"
        raise BadCondition(msg)
    return query
