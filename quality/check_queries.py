"""A check of a table as expectations, and as the query of the rows that break it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leat.quality.checks import CheckedTable, TableCheck
from leat.quality.expectations import Expectation, unexpected_rows
from leat.sources.stream import is_number
from leat.warehouse.session import Session, quote

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
}


def rows_of(table: CheckedTable) -> str:
    """Return the query of the rows that are checked: those that exist."""
    where = " WHERE _deleted_at IS NULL" if table.soft_deletes else ""
    return f"SELECT * FROM {quote(table.schema, table.table)}{where}"


def impossible(check: TableCheck, types: Mapping[str, str]) -> str | None:
    """Return why a check can't be tried on columns of these types; a query that fails would cost the transaction."""
    for column in check.columns:
        if column not in types:
            return f"column {column} isn't loaded. Next: remove the check, or load the column"
        kind = types[column]
        if check.kind == "range" and not is_number(kind):
            return f"column {column} is {kind}, and only numbers have a range"
        odd = [
            v
            for v in check.values
            if type(v) not in _PYTHON.get("float" if is_number(kind) and kind != "integer" else kind, ())
        ]  # True is no integer here
        if odd:
            return f"column {column} is {kind} and can't have the value {odd[0]!r}"
    return None


def expectations_of(
    session: Session, check: TableCheck, types: Mapping[str, str], there: Mapping[str, str]
) -> Iterator[Expectation]:
    """Yield a check as expectations; ``types`` are the columns of its table, ``there`` those of its target."""
    bounds = {} if check.bounds is None else {"min_value": check.bounds.min, "max_value": check.bounds.max}
    if check.kind == "not_null":
        for column in check.columns:
            yield Expectation("expect_column_values_to_not_be_null", {"column": column})
    elif check.kind == "unique" and len(check.columns) == 1:
        yield Expectation("expect_column_values_to_be_unique", {"column": check.columns[0]})
    elif check.kind == "unique":
        yield Expectation("expect_compound_columns_to_be_unique", {"column_list": list(check.columns)})
    elif check.kind == "accepted_values":
        yield Expectation(
            "expect_column_values_to_be_in_set", {"column": check.columns[0], "value_set": list(check.values)}
        )
    elif check.kind == "range":
        yield Expectation("expect_column_values_to_be_between", {"column": check.columns[0], **bounds})
    elif check.kind == "row_count":
        least, most = bounds.get("min_value"), bounds.get("max_value")
        whole = {
            "min_value": None if least is None else math.ceil(least),
            "max_value": None if most is None else math.floor(most),
        }
        yield Expectation("expect_table_row_count_to_be_between", whole)
    else:
        orphans = _orphans(session, check, types, there, "{batch}")
        yield unexpected_rows(f"SELECT 1 AS orphan FROM ({orphans}) AS orphans")


def broken_rows(
    session: Session,
    table: CheckedTable,
    check: TableCheck,
    types: Mapping[str, str],
    there: Mapping[str, str],
    among: str | None = None,
) -> tuple[str, Sequence[Any]]:
    """Return the query of the rows that break a check, and its parameters; ``among`` is the query of those that can."""
    rows = f"({among or rows_of(table)})"
    columns = [quote(column) for column in check.columns]
    if check.kind == "foreign_key":
        return _orphans(session, check, types, there, rows, few=among is not None), ()
    if check.kind == "unique":
        counted = f"SELECT *, count(*) OVER (PARTITION BY {', '.join(columns)}) AS leat_same FROM {rows} AS checked"
        whole = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        return f"SELECT * FROM ({counted}) AS counted WHERE leat_same > 1 AND {whole}", ()
    wrong: Mapping[str, Sequence[Any]]
    if check.kind == "not_null":
        wrong = {f"{column} IS NULL": () for column in columns}
    elif check.kind == "accepted_values":
        wrong = {f"{columns[0]} NOT IN ({', '.join('?' * len(check.values))})": check.values}
    else:
        least, most = (check.bounds.min, check.bounds.max) if check.bounds else (None, None)
        bounds = (("<", least), (">", most))
        wrong = {f"{columns[0]} {sign} ?": (value,) for sign, value in bounds if value is not None}
    params = [value for values in wrong.values() for value in values]
    return f"SELECT * FROM {rows} AS checked WHERE {' OR '.join(wrong)}", params


def _orphans(
    session: Session,
    check: TableCheck,
    types: Mapping[str, str],
    there: Mapping[str, str],
    rows: str,
    *,
    few: bool = False,
) -> str:
    """Return the query of the rows whose value has no row in the target table that exists; ``few`` if they are few."""
    schema, table, column = check.target or ("", "", "")
    own, other = quote(check.columns[0]), quote(column)
    left, right = f"checked.{own}", f"target.{other}"
    null = f"{left} IS NOT NULL AND {right} IS NULL"
    alive = " WHERE _deleted_at IS NULL" if "_deleted_at" in there else ""
    if few and types[check.columns[0]] == there.get(column):  # else each row of the target would be compared
        wanted = f"{other} IN (SELECT {own} FROM {rows} AS few)"
        alive = f"{alive} AND {wanted}" if alive else f" WHERE {wanted}"
    target = f"(SELECT DISTINCT {other} FROM {quote(schema, table)}{alive})"
    if types[check.columns[0]] != there.get(column):
        text = session.dialect.sql_type("string")
        left, right = f"CAST({left} AS {text})", f"CAST({right} AS {text})"
    return f"SELECT checked.* FROM {rows} AS checked LEFT JOIN {target} AS target ON {left} = {right} WHERE {null}"
