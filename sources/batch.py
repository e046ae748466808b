"""Records to Arrow: collects dicts into batches of a stream's schema.

Fields that the stream doesn't declare go to ``extra``; a value that does not fit its column raises, so that the
driver can quarantine that one record.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.sources.domain import arrow_value, written_json_problem
from leat.sources.events import Rows
from leat.sources.stream import EXTRA, Stream

if TYPE_CHECKING:
    import pyarrow as pa

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_SCALARS = frozenset({str, int, float, bool, type(None)})
_TEXT = frozenset({str})
_UNKNOWN = (-1, None)

MAX_CHARACTERS = 16 * 2**20
"""How much text a batch holds before it is full, however few records these are."""


def to_json(value: Any) -> str:
    """Return JSON text with sorted keys; times as ISO 8601, bytes as text, anything else as its ``str``.

    Raises:
        ValueError: it is nested too deeply, or holds an integer of thousands of digits.
    """
    try:
        text = _fast_json(value)
        return _ENCODER.encode(_plain(value)) if text is None else text
    except RecursionError as error:
        msg = "is nested too deeply"
        raise ValueError(msg) from error
    except ValueError as error:  # Python writes no integer of more than 4,300 digits
        msg = "has a number that no warehouse holds"
        raise ValueError(msg) from error


def _fast_json(value: Any) -> str | None:
    """Return the JSON text of a value that need not be changed first, else None."""
    if not _has_text_keys(value):
        return None
    try:
        text = _ENCODER.encode(value)
    except ValueError:  # NaN or an infinity
        return None
    return text if "\\u0000" not in text and clean(text) is text else None


def _has_text_keys(value: Any) -> bool:
    """Return whether a value is made of scalars, lists and dicts whose keys are text: JSON as a server sends it."""
    kind = type(value)
    if kind is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind in _SCALARS
    if _SCALARS.issuperset(map(type, value)):
        return True
    for item in value:  # noqa: SIM110 - all() would take two frames of the stack a level
        if not _has_text_keys(item):
            return False
    return True


def _plain(value: Any) -> Any:
    """Return a value that JSON and every warehouse can hold: no NUL, no lone surrogate, no NaN."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return dict(zip((clean(str(key)) for key in value), map(_plain, value.values()), strict=True))
    if isinstance(value, list | tuple | set | frozenset):
        return list(map(_plain, value))  # a comprehension would take two frames of the stack a level
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return clean(value.decode("utf-8", "backslashreplace"))
    return clean(str(value))


def clean(text: str) -> str:
    """Return text that every warehouse can store: NUL and lone surrogates become U+FFFD; the same object if it can."""
    if "\x00" not in text:
        try:
            if text.isascii() or text.encode():
                return text
        except UnicodeEncodeError:  # surrogates
            pass
    return text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Batch:
    """Collects records of one stream and gives them back as :class:`leat.sources.events.Rows`.

    Usage::

        batch = Batch(EVENTS)
        for record in records:
            yield from batch.add(record)
        yield from batch.flush()

    Args:
        stream: the stream the records belong to.
        size: how many records make a batch; fewer do when they hold :data:`MAX_CHARACTERS`.

    Attributes:
        characters: how long the texts and JSON of the records are that were added since the last flush.
    """

    def __init__(self, stream: Stream, size: int = 10_000) -> None:
        self._stream = stream
        self._size = size
        self._columns = {column.name: (place, column.type) for place, column in enumerate(stream.columns)}
        self._key = tuple(self._columns[name][0] for name in stream.key)
        self.characters = 0
        self._width = len(stream.columns) + 1
        self._values: list[Any] = []  # row after row: a list of lists would slow the garbage collector

    def add(self, record: Mapping[str, Any]) -> Iterator[Rows]:
        """Check and add one record; yields a batch when one is full.

        Raises:
            ValueError: a value doesn't fit its column, or a key column is missing.
        """
        if self.put(record):
            yield from self.flush()

    def put(self, record: Mapping[str, Any]) -> bool:
        """Check and add one record; returns whether the batch is full now and has to be flushed.

        Raises:
            ValueError: as :meth:`add`.
        """
        self._values += self._checked(record)
        return len(self._values) >= self._size * self._width or self.characters >= MAX_CHARACTERS

    def flush(self) -> Iterator[Rows]:
        """Yield what has been collected, if anything."""
        if self._values:
            yield Rows(self._stream.name, self._take(), judged=True)

    def _take(self) -> pa.Table:
        import pyarrow as pa

        schema, values = self._stream.schema(), self._values
        self._values, self.characters = [], 0
        arrays = [pa.array(values[place :: self._width], field.type) for place, field in enumerate(schema)]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _checked(self, record: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the columns; the most frequent kinds of values are taken as they are."""
        row: list[Any] = [None] * self._width
        extra: dict[str, Any] = {}
        columns = self._columns
        for name, value in record.items():
            if value is None:
                continue
            place, kind = columns.get(name, _UNKNOWN)
            if type(value) is str:
                self.characters += len(value)
                if kind == "string" and value.isascii() and "\x00" not in value and len(value) <= MAX_FIELD_BYTES:
                    row[place] = value
                    continue
            if kind is None:
                extra.update(value if name == EXTRA and isinstance(value, Mapping) else {name: value})
            elif type(value) is int and kind == "integer" and -(2**63) <= value < 2**63:
                row[place] = value
            else:
                row[place] = fitted = _fit(name, kind, value)
                if kind == "json":
                    self.characters += len(fitted)
        for place in self._key:
            if row[place] is None:
                missing = sorted(name for name in self._stream.key if row[columns[name][0]] is None)
                msg = f"key column {', '.join(missing)} is missing"
                raise ValueError(msg)
        if extra:
            row[-1] = _extra(extra)
            self.characters += len(row[-1])
        return row


def _fit(name: str, kind: str, value: Any) -> Any:
    """Return the value in the form that Arrow takes for a column of that kind."""
    try:
        if kind == "json":
            return _in_domain(to_json(value))
        return arrow_value(kind, clean(value) if kind == "string" and isinstance(value, str) else value)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(_refusal(f"column {name}", error)) from error


def _extra(values: Mapping[str, Any]) -> str:
    """Return the fields that the stream does not know, as JSON."""
    try:
        return _in_domain(to_json(values))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(_refusal("a field that the stream does not have", error)) from error


def _in_domain(text: str) -> str:
    problem = written_json_problem(text)
    if problem is not None:
        raise ValueError(problem)
    return text


def _refusal(what: str, error: Exception) -> str:
    """Return why a value doesn't fit, without the value: only the domain's own texts have none."""
    return f"{what} {error if type(error) is ValueError else 'has a value that can not be read'}"
