"""One object of a provider's JSON to one row: which field goes to which column, and how it is read.

A field that no column takes stays in the row under its own name, and so goes to ``extra``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How an object becomes a row.

    Each list has words of the form ``column`` or ``column=field.inner|other``: the first field that holds a value is
    taken, all of them are used up.

    Attributes:
        plain: taken as they are.
        references: an id, or the whole object with that id.
        amounts: integers in the provider's unit of ``currency``.
        times: seconds since 1970, UTC.
        unused: fields that aren't stored: parts of other streams, and what must not be stored.
        adapt: changes a copy of the object before it is read, where the words above don't suffice.
    """

    plain: str = ""
    references: str = ""
    amounts: str = ""
    times: str = ""
    unused: str = ""
    adapt: Callable[[dict[str, Any]], None] = field(default=lambda _object: None)


def to_row(mapping: FieldMapping, given: Object, convert: Callable[[int, str], int]) -> dict[str, Any]:
    """Return the row of an object.

    Args:
        mapping: which field goes where.
        given: the object.
        convert: turns an amount in the provider's unit of a currency into minor units of ISO 4217.

    Raises:
        ValueError: a field doesn't hold what it should; the text names the field and holds no value.
    """
    at = ["the object"]
    try:
        return _row(mapping, given, convert, at)
    except Wrong as error:
        msg = f"{at[-1]}: {error}"
        raise ValueError(msg) from error
    except Exception as error:  # a record may hold anything
        msg = f"{at[-1]}: it isn't as the provider's reference says ({type(error).__name__})"
        raise ValueError(msg) from error


def _row(mapping: FieldMapping, given: Object, convert: Callable[[int, str], int], at: list[str]) -> dict[str, Any]:
    """Return the row of an object; the last of ``at`` is what is being read."""
    source = dict(given)
    mapping.adapt(source)
    rest = dict(source)
    row: dict[str, Any] = {}
    currency = source.get("currency")
    readers: dict[str, Callable[[Any], Any]] = {
        "plain": lambda value: value,
        "references": identity,
        "times": _instant,
        "amounts": lambda value: _amount(value, currency, convert),
    }
    for kind, column, paths in _words(mapping):
        at[-1] = f"field {'.'.join(paths[0])}"
        row[column] = _first(source, rest, paths, readers[kind])
    at[-1] = "the object"
    for name in (*mapping.unused.split(), "object"):
        rest.pop(name, None)
    if isinstance(currency, str):
        row["currency"] = currency.upper()
        rest.pop("currency", None)
    return {**{name: value for name, value in rest.items() if not _is_empty(value)}, **row}


class Wrong(ValueError):
    """What is wrong with a field, in words without its value."""


def _is_empty(value: Any) -> bool:
    """Return whether a value says nothing: null, or a container of nothing else."""
    if isinstance(value, Mapping):
        return all(_is_empty(item) for item in value.values())
    return value is None or value == []


@cache
def _words(mapping: FieldMapping) -> tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...]:
    """Return kind, column and the fields' paths of every word of a mapping."""
    result = []
    for kind in ("plain", "references", "times", "amounts"):
        for word in getattr(mapping, kind).split():
            column, _, fields = word.partition("=")
            result.append((kind, column, tuple(tuple(path.split(".")) for path in (fields or column).split("|"))))
    return tuple(result)


def identity(value: Any) -> str | None:
    """Return the id that a reference gives, whether it is the id itself or the expanded object.

    Raises:
        Wrong: it is neither.
    """
    key = value.get("id") if isinstance(value, Mapping) else value
    if key is None or isinstance(key, str):
        return key
    msg = "no reference to an object"
    raise Wrong(msg)


def _first(source: Object, rest: dict[str, Any], paths: tuple[tuple[str, ...], ...], read: Callable[[Any], Any]) -> Any:
    """Return the first of the fields that holds a value; removes all of them from the rest."""
    value_read = None
    for path in paths:
        value = _take(source, rest, path)
        if value_read is None and value is not None:
            value_read = read(value)
    return value_read


def _take(source: Any, rest: dict[str, Any] | None, path: tuple[str, ...]) -> Any:
    """Return the value at a path and remove it from the rest, copying only what changes."""
    name, *inner = path
    if not isinstance(source, Mapping):
        return None
    if not inner:
        if rest is not None:
            rest.pop(name, None)
        return source.get(name)
    left = rest.get(name) if rest is not None else None
    held = dict(left) if isinstance(left, Mapping) else None
    value = _take(source.get(name), held, tuple(inner))
    if held is not None and rest is not None:
        rest[name] = held
    return value


def _instant(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "no time in seconds"
        raise Wrong(msg)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError) as error:
        msg = "so many seconds are no time"
        raise Wrong(msg) from error


def _amount(value: Any, currency: Any, convert: Callable[[int, str], int]) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "no amount in whole units"
        raise Wrong(msg)
    if not isinstance(currency, str):
        if value == 0:
            return 0
        msg = "an amount that has no currency"
        raise Wrong(msg)
    try:
        return convert(value, currency)
    except ValueError as error:
        raise Wrong(str(error)) from error
