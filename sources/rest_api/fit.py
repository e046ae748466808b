"""JSON values to Arrow columns: whole columns at once where every value fits, value by value where one doesn't.

A value has to be of its column's type as JSON has it: ``"5"`` is no integer, ``5`` no string. Times are ISO 8601, as
RFC 3339 profiles it, or numbers where the declaration names their unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sources.batch import clean
from sources.rest_api.cleaning import cleaned

Array = Any
"""A pyarrow array; the stubs of its functions take no more exact type."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A column in its type, null where a value doesn't fit; ``bad`` says why, by row."""

    values: Array
    bad: dict[int, str] = field(default_factory=dict)


def compute() -> Any:
    """Return pyarrow's compute functions, without their stubs."""
    import pyarrow.compute

    return pyarrow.compute


def fit(name: str, kind: str, texts: Array, unix: str | None) -> Fitted:
    """Return a column of JSON texts, null for absent ones, in the type of its kind."""
    import pyarrow as pa

    pc = compute()

    texts = pc.if_else(pc.equal(texts, "null"), pa.scalar(None, pa.string()), texts)
    if texts.null_count == len(texts):
        return Fitted(pa.nulls(len(texts), _arrow_type(kind)))
    try:
        fast = _FAST[kind](texts, unix)
        if fast is not None:
            return Fitted(fast)
    except pa.ArrowInvalid:  # a value doesn't fit, or is written in a way that Arrow doesn't read
        pass
    return _one_by_one(name, kind, texts, unix)


def _arrow_type(kind: str) -> Any:
    from sources.stream import Column, arrow_schema

    return arrow_schema((Column("x", kind, ""),)).field(0).type


def _json(texts: Array, _unix: str | None) -> Any:
    pc = compute()

    return None if pc.any(pc.match_substring(texts, "\\u0000")).as_py() else texts


def _string(texts: Array, _unix: str | None) -> Any:
    """Return texts without their quotes, when all are strings; those with escapes are read by a JSON parser."""
    import pyarrow as pa

    pc = compute()

    if not pc.all(pc.starts_with(texts, '"')).as_py():
        return None
    plain = pc.utf8_slice_codeunits(texts, 1, -1)
    escaped = pc.match_substring(texts, "\\")
    if pc.any(escaped).as_py():
        read = [clean(text) for text in json.loads(f"[{','.join(texts.filter(escaped).to_pylist())}]")]
        plain = pc.replace_with_mask(plain, escaped, pa.array(read, pa.string()))
    return plain


def _number(texts: Array, kind: str) -> Any:
    pc = compute()

    if pc.any(pc.match_substring_regex(texts, "^[^-0-9]")).as_py():
        return None
    return texts.cast(_arrow_type(kind))


def _integer(texts: Array, _unix: str | None) -> Any:
    return _number(texts, "integer")


def _float(texts: Array, _unix: str | None) -> Any:
    return _number(texts, "float")


def _boolean(texts: Array, _unix: str | None) -> Any:
    import pyarrow as pa

    pc = compute()

    known = pc.is_in(texts, pa.array(["true", "false", None]))
    return pc.equal(texts, "true") if pc.all(known).as_py() else None


def _timestamp(texts: Array, unix: str | None) -> Any:
    if unix is not None:
        return None
    return _time(texts, "timestamp")


def _datetime(texts: Array, _unix: str | None) -> Any:
    return _time(texts, "datetime")


def _date(texts: Array, _unix: str | None) -> Any:
    return _time(texts, "date")


def _time(texts: Array, kind: str) -> Any:
    pc = compute()

    plain = _string(texts, None)
    if plain is None:
        return None
    return pc.replace_substring_regex(plain, r"(\.\d{6})\d+", r"\1").cast(_arrow_type(kind))


_FAST: dict[str, Callable[[Any, str | None], Any]] = {
    "json": _json,
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "datetime": _datetime,
    "date": _date,
}


def _one_by_one(name: str, kind: str, texts: Array, unix: str | None) -> Fitted:
    import pyarrow as pa

    values: list[Any] = []
    bad: dict[int, str] = {}
    for i, text in enumerate(texts.to_pylist()):
        value = None if text is None else json.loads(text)
        try:
            values.append(None if value is None else _value(kind, value, unix))
        except (ValueError, OverflowError):
            values.append(None)
            bad[i] = f"column {name} takes {kind}, not {type(value).__name__} {str(value)[:80]!r}"
    return Fitted(pa.array(values, _arrow_type(kind)), bad)


def _value(kind: str, value: Any, unix: str | None) -> Any:
    """Return a parsed value in the form that Arrow takes.

    Raises:
        ValueError: it doesn't fit.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "json":
        return json.dumps(cleaned(value), ensure_ascii=False, separators=(",", ":"))
    if kind == "string" and isinstance(value, str):
        return clean(value)
    if kind == "integer" and number and isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if kind == "float" and number:
        return float(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "timestamp" and unix is not None and number:
        return _EPOCH + timedelta(**{"seconds" if unix == "s" else "milliseconds": value})
    if kind in ("timestamp", "datetime", "date") and isinstance(value, str) and unix is None:
        if kind == "date":
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
        if (moment.tzinfo is not None) == (kind == "timestamp"):
            return moment
    raise ValueError(kind)
