"""Columns for records that nobody has declared yet: names, types, a key, and what may show what is new."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from leat.sources.json_path import write_path
from leat.sources.personal_data import by_name, by_values
from leat.sources.rest_api.declaration.column import ColumnOptions
from leat.sources.stream import EXTRA

_KEYS = ("id", "uuid", "guid", "uid", "key", "number", "code", "slug", "name", "sku", "email")
_CHANGED = re.compile(r"(last_?)?(updated|modified|changed|edited|update|modification|write)(_?(at|on|date|time|ts))?")
_CREATED = re.compile(r"(created|inserted|creation|date_created|timestamp|occurred)(_?(at|on|date|time|ts))?")
_TIME = re.compile(r"(^|_)(at|on|date|time|timestamp|ts|created|updated|modified|expires|since|until)($|_)")
_SECONDS, _MILLISECONDS = range(500_000_000, 5_000_000_000), range(500_000_000_000, 5_000_000_000_000)
_PLAIN = frozenset({"string", "integer", "date", "timestamp", "datetime"})
_PAIRS = 200
_LONGEST = 41
_MOST = 0.9
"""The share of values from which on the others count as the ones that don't fit."""
_64_BITS = 2**63


def infer_columns(records: Sequence[Mapping[str, Any]]) -> dict[str, ColumnOptions]:
    """Return columns for the fields of records, in the order in which they come."""
    columns: dict[str, ColumnOptions] = {}
    for field in dict.fromkeys(name for record in records for name in record):
        values = [record[field] for record in records if record.get(field) is not None]
        name = _column_name(field, columns)
        options = _options(name, values)
        if by_name(name, options["type"]) or by_values(values):
            options["personal"] = True
        columns[name] = ColumnOptions(field=None if name == field else write_path((field,)), **options)
    return columns


def infer_key(lists: Sequence[Sequence[Mapping[str, Any]]], columns: Mapping[str, ColumnOptions]) -> tuple[str, ...]:
    """Return the columns that identify each record of a list: of plain values, in every record, never twice.

    One column goes before two, and one whose name says that it identifies something before others; none when no two do.
    """
    values = {n: [[value_of(r, n, o) for r in records] for records in lists] for n, o in columns.items()}
    plain = {n: of_column for n, of_column in values.items() if columns[n].type in _PLAIN and _is_full(of_column)}
    names = sorted(plain, key=lambda name: _rank(name, columns[name]))
    pairs = itertools.islice(itertools.combinations(names, 2), _PAIRS)
    for chosen in (*((name,) for name in names), *pairs):
        if all(_differ([plain[name][i] for name in chosen]) for i in range(len(lists))):
            return chosen
    return ()


def growing_columns(columns: Mapping[str, ColumnOptions]) -> list[str]:
    """Return the columns by which an API may select what is new, the likeliest first."""
    times = [n for n, o in columns.items() if o.type in ("timestamp", "datetime", "date") or o.unix]
    changed = [name for name in times if _CHANGED.fullmatch(name)]
    return [*changed, *(name for name in times if _CREATED.fullmatch(name))]


def value_of(record: Mapping[str, Any], column: str, options: ColumnOptions) -> Any:
    """Return the value that a proposed column has in a record."""
    if options.field is None:
        return record.get(column)
    return next((value for name, value in record.items() if write_path((name,)) == options.field), None)


def _is_full(lists: Sequence[Sequence[Any]]) -> bool:
    return any(lists) and not any(value in (None, "") for values in lists for value in values)


def _differ(columns: Sequence[Sequence[Any]]) -> bool:
    rows = [repr(row) for row in zip(*columns, strict=True)]  # a value may be a list where most are none
    return len(set(rows)) == len(rows)


def _rank(name: str, options: ColumnOptions) -> tuple[int, int]:
    """Return the place of a column among those that may identify a record."""
    if name in _KEYS:
        return 0, _KEYS.index(name)
    return (1 if name.endswith(("_id", "_uuid", "_key")) else 2 if options.type in ("string", "integer") else 3), 0


def _column_name(field: str, taken: Mapping[str, ColumnOptions]) -> str:
    """Return a lower-case identifier: ``createdAt`` becomes ``created_at``."""
    words = re.sub(
        r"([a-z0-9])([A-Z])|([A-Z]+)(?=[A-Z][a-z])", lambda f: f"{f[1]}_{f[2]}" if f[1] else f"{f[3]}_", field
    )
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:_LONGEST]
    if not name or not name[0].isalpha() or name == EXTRA:
        name = f"field_{name}".rstrip("_")[:_LONGEST]
    number = 2
    unique = name
    while unique in taken:
        unique = f"{name[: _LONGEST - 3]}_{number}"
        number += 1
    return unique


def _options(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Return the options of a column that takes these values; none is null."""
    kinds = {bool: "boolean", int: "integer", float: "float", str: "string"}
    kinds_of = {kinds.get(type(value), "json") for value in values}
    if kinds_of == {"boolean"}:
        return {"type": "boolean"}
    if kinds_of == {"integer"}:
        if not all(-_64_BITS <= value < _64_BITS for value in values):
            return {"type": "string", "convert": True}
        return {"type": "integer", **_unix(name, values)}
    if kinds_of and kinds_of <= {"integer", "float"}:
        return {"type": "float"}
    numbers = [value for value in values if type(value) in (int, float)]
    if len(numbers) >= _MOST * len(values) and values:
        return _options(name, numbers)
    if kinds_of == {"string"}:
        return {"type": _text_type(values)}
    if kinds_of and kinds_of <= {"integer", "float", "string"}:
        return {"type": "string", "convert": True}
    return {"type": "json" if kinds_of else "string"}


def _unix(name: str, values: Sequence[int]) -> dict[str, Any]:
    if _TIME.search(name):
        for unit, bounds in (("s", _SECONDS), ("ms", _MILLISECONDS)):
            if all(value in bounds for value in values):
                return {"type": "timestamp", "unix": unit}
    return {}


def _text_type(values: Sequence[str]) -> str:
    for kind, fits in (("date", _is_date), ("timestamp", _is_timestamp), ("datetime", _is_datetime)):
        if all(map(fits, values)):
            return kind
    return "string"


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and _reads(date.fromisoformat, text)


def _is_timestamp(text: str) -> bool:
    return _is_moment(text) and datetime.fromisoformat(text).tzinfo is not None


def _is_datetime(text: str) -> bool:
    return _is_moment(text) and datetime.fromisoformat(text).tzinfo is None


def _is_moment(text: str) -> bool:
    return re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text) is not None and _reads(datetime.fromisoformat, text)


def _reads(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
