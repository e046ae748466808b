"""Selects the rows of a table that have a touched value of the grain, without reading the others where that can be.

Any of these conditions may be left out: they say again what the first one says, in a way that an engine is quick with.

- An engine with indexes finds the rows by one: of the model and of the stored values by the values of the grain, of an
  input by its key, which the stored values lead to.
- An engine without indexes knows the least and the greatest value of each part of a column. It needs them compared with
  literals, of the column itself.
- Where the values have the whole key and only this input has changed, the touched rows are those that have changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from leat.assets.grain import Grain, Place, Way, column_of
from leat.pipelines.declare.table_names import ANALYTICS
from leat.warehouse.dialect import Dialect
from leat.warehouse.session import Session, literal, quote

TOUCHED = "leat_touched"
"""A temporary table: the values of the grain whose rows are built again."""

STORED = "_keys"
"""The schema of the stored values; no integration is called like that."""

INCOMPARABLE = {"json", "float", "?", ""}
"""Leat types whose values can't be compared for being the same."""

_TIMES = {"timestamp": "TIMESTAMPTZ", "datetime": "TIMESTAMP", "date": "DATE"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)( [\d:.+-]+)?")  # neither infinity nor before Christ


@dataclass(frozen=True, slots=True)
class Touched:
    """What is built again.

    Attributes:
        model: name of the model.
        kinds: leat type by column of the grain.
        nulls: whether some touched values have a null; :data:`TOUCHED` leaves those out.
        changed: by input that has changed, the oldest load that the model wasn't built of; empty for a model.
        only_new: the inputs whose changed rows are all new.
    """

    model: str
    kinds: Mapping[str, str]
    nulls: bool
    changed: Mapping[str, str]
    only_new: frozenset[str]


def stored_table(model: str, number: int) -> str:
    """Return the name of the table of the stored values of an input, by its place in the grain."""
    return f"{model}_{number}"


def lookup(dialect: Dialect, expressions: Sequence[str], kinds: Sequence[str]) -> list[str]:
    """Return the expressions of an index over values, and to look them up by it; none where there can't be one."""
    if INCOMPARABLE & set(kinds):
        return []
    made = (dialect.indexed(each, kind) for each, kind in zip(expressions, kinds, strict=True))
    return [each for each in made if each is not None]


def is_touched(dialect: Dialect, expressions: Sequence[str], touched: Touched, *, by_index: bool = False) -> str:
    """Return the condition that some expressions are a touched value of the grain; too many are no harm.

    If a touched value has a null, all that have one count.

    Args:
        dialect: of the SQL.
        expressions: one for each column of the grain.
        touched: what is touched.
        by_index: whether there is an index over these expressions, as :func:`lookup` gives them.
    """
    names = [quote(column_of(number)) for number in range(1, len(expressions) + 1)]
    kinds = list(touched.kinds.values())
    left, right = list(expressions), names
    if by_index and not touched.nulls:
        left = list(dict.fromkeys([*left, *lookup(dialect, left, kinds)]))
        right = list(dict.fromkeys([*right, *lookup(dialect, right, kinds)]))
    among = f"({', '.join(left)}) IN (SELECT {', '.join(right)} FROM {TOUCHED})"
    return f"({among} OR {' OR '.join(f'({each}) IS NULL' for each in expressions)})" if touched.nulls else among


def query_of_touched(session: Session, grain: Grain, touched: Touched) -> str:
    """Return the query of a model that reads what is touched of its keyed inputs alone."""
    text = grain.query[session.dialect.name]
    days = _days(session, touched)
    for place in grain.places:
        conditions = dict.fromkeys(_condition(session, grain, place, way, touched, days) for way in place.ways)
        source = place.source[session.dialect.name]
        text = text.replace(place.mark, f"(SELECT * FROM {source} AS leat_rows WHERE {' OR '.join(conditions)})")
    return text


def _condition(
    session: Session,
    grain: Grain,
    place: Place,
    way: Way,
    touched: Touched,
    days: Sequence[tuple[date, date] | None],
) -> str:
    dialect = session.dialect
    conditions = [is_touched(dialect, way.values[dialect.name], touched)]
    if touched.nulls:
        return conditions[0]
    keyed = None if way.input is None else grain.inputs[way.input]
    if dialect.key_index:
        if keyed is not None and keyed.key:
            names = [quote(column_of(number)) for number in range(1, len(grain.columns) + 1)]
            key = ", ".join(map(quote, keyed.key))
            stored = quote(STORED, stored_table(touched.model, way.input or 0))
            among = is_touched(dialect, names, touched, by_index=True)
            conditions.append(f"({key}) IN (SELECT {key} FROM {stored} WHERE {among})")
        return " AND ".join(conditions)
    sole = [each for each in grain.inputs if each.table in touched.changed] == [keyed]
    if way.is_key and sole and not place.table.startswith(f"{ANALYTICS}."):
        conditions.append(f"_load_id >= {literal(touched.changed[place.table])}")
    columns = session.columns(*place.table.split("."))
    for near, between in zip(way.near, days, strict=True):
        if near is not None and near[1] and between is not None and (kind := _TIMES.get(columns.get(near[0], ""))):
            conditions += _between(near[0], kind, between, near[1])
    return " AND ".join(conditions)


def _days(session: Session, touched: Touched) -> list[tuple[date, date] | None]:
    """Return the first and the last day of the touched values of each column that is a time."""
    selected = [
        f"CAST({of}({quote(column_of(number))}) AS VARCHAR)"
        for number in range(1, len(touched.kinds) + 1)
        for of in ("min", "max")
    ]
    (row,) = session.execute(f"SELECT {', '.join(selected)} FROM {TOUCHED}")
    days = []
    for first, last, kind in zip(row[::2], row[1::2], touched.kinds.values(), strict=True):
        read = [_TIME.fullmatch(each) for each in (first, last) if each is not None and kind in _TIMES]
        ends = [date.fromisoformat(each[1]) for each in read if each is not None]
        days.append((ends[0], ends[1]) if len(ends) == 2 else None)
    return days


def _between(column: str, kind: str, days: tuple[date, date], near: int) -> list[str]:
    """Return the condition that a time is no further from some days than so many; none beyond the calendar."""
    try:
        first, last = days[0] - timedelta(near + 1), days[1] + timedelta(near + 2)
    except OverflowError:
        return []
    return [f"{quote(column)} BETWEEN {kind} '{first.isoformat()}' AND {kind} '{last.isoformat()}'"]
