"""The SQL of a figure: of its points, and of the rows behind one of them, in the dialect of the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from leat.assets.report import CURRENCY, Figure
from leat.assets.report_files import columns_of, columns_shown, parse_expression
from leat.pipelines.declare.table_names import ANALYTICS
from leat.warehouse.dialect import DialectName
from leat.warehouse.session import literal

if TYPE_CHECKING:
    from sqlglot import exp

POINTS = {"line": 60, "columns": 60, "bars": 12, "number": 1}
"""How many points a chart shows: the newest of a line and of columns, the largest of bars."""
Label = str | int | float | bool | date | datetime | Decimal | None


def points_query(figure: Figure, dialect: DialectName, currency: str | None = None, *, every: bool = False) -> str:
    """Return the query of the points: ``label`` and ``value``, or ``value`` alone for a number.

    Args:
        figure: the figure.
        dialect: of the warehouse.
        currency: only rows of this one; None for a model without currencies.
        every: whether to read all points, for a file, instead of those that a chart has room for.
    """
    from sqlglot import exp

    value = exp.alias_(parse_expression(figure.value), "value")
    query = exp.select(value).from_(exp.table_(figure.model, db=ANALYTICS))
    query = _where(query, figure, currency)
    if figure.by is not None:
        label = parse_expression(figure.by)
        query = query.select(exp.alias_(label.copy(), "label"), append=False).select(value).group_by(label)
        newest = figure.chart in ("line", "columns")
        order = "label DESC NULLS LAST" if newest else "value DESC NULLS LAST, label"
        query = query.order_by(*order.split(", "), dialect="duckdb")
        if not every:
            query = query.limit(POINTS[figure.chart])
    return _text(query, dialect)


def rows_query(
    figure: Figure,
    dialect: DialectName,
    columns: Sequence[str],
    currency: str | None = None,
    at: Sequence[Label] = (),
) -> str:
    """Return the query of the rows behind a figure, or behind one of its points.

    Args:
        figure: the figure.
        dialect: of the warehouse.
        columns: the columns to read.
        currency: as for the points.
        at: the label of the point; empty for all of them.
    """
    from sqlglot import exp

    query = exp.select(*(exp.column(name, quoted=True) for name in columns))
    query = _where(query.from_(exp.table_(figure.model, db=ANALYTICS)), figure, currency)
    if at and figure.by is not None:
        label = parse_expression(figure.by)
        query = query.where(label.is_(exp.null()) if at[0] is None else label.eq(_literal(at[0])))
    return _text(query, dialect)


def is_personal(figure: Figure, personal: frozenset[str]) -> bool:
    """Return whether a figure shows personal data.

    Args:
        figure: the figure.
        personal: the columns of its model with personal data.
    """
    if figure.personal is not None:
        return figure.personal
    shown = columns_shown(parse_expression(figure.value))
    for text in (figure.by, figure.where):
        shown |= columns_of(parse_expression(text)) if text else set()
    return not personal.isdisjoint(shown)


def _where(query: exp.Select, figure: Figure, currency: str | None) -> exp.Select:
    from sqlglot import exp

    if currency is not None:
        query = query.where(exp.column(CURRENCY).eq(currency))
    return query.where(parse_expression(figure.where)) if figure.where else query


def _text(expression: exp.Expr, dialect: DialectName) -> str:
    from leat.pipelines.declare.transpile import as_postgres, made_equal

    made = as_postgres(expression) if dialect == "postgres" else made_equal(expression)
    return made.sql(dialect=dialect, pretty=True)


def _literal(value: Label) -> exp.Expr:
    import sqlglot

    text = str(value).upper() if isinstance(value, bool) else literal(value)
    return sqlglot.parse_one(text, read="duckdb")
