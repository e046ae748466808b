"""Records to Arrow: collects dicts into batches of a stream's schema.

Fields that the stream does not know are kept in ``extra``; a value that does not fit its column raises, so that the
driver can quarantine that one record.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sources.events import Rows
from sources.stream import EXTRA, Stream

if TYPE_CHECKING:
    import pyarrow as pa


def to_json(value: Any) -> str:
    """Return JSON text with sorted keys; times as ISO 8601, bytes as text, anything else as its ``str``.

    Raises:
        ValueError: it is nested too deeply.
    """
    try:
        return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except RecursionError as error:
        msg = "the value is nested too deeply"
        raise ValueError(msg) from error


def _plain(value: Any) -> Any:
    """Return a value that JSON and every warehouse can hold: no NUL, no lone surrogate, no NaN."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {clean(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return clean(value.decode("utf-8", "backslashreplace"))
    return clean(str(value))


def clean(text: str) -> str:
    """Return text that every warehouse can store: NUL and lone surrogates become U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Batch:
    """Collects records of one stream and gives them back as :class:`sources.events.Rows`.

    Usage::

        batch = Batch(EVENTS)
        for record in records:
            yield from batch.add(record)
        yield from batch.flush()

    Args:
        stream: the stream the records belong to.
        size: how many records make a batch; memory is bounded by it.
    """

    def __init__(self, stream: Stream, size: int = 10_000) -> None:
        self._stream = stream
        self._size = size
        self._types = {column.name: column.type for column in stream.columns}
        self._required = frozenset(stream.key)
        self._records: list[dict[str, Any]] = []

    def add(self, record: Mapping[str, Any]) -> Iterator[Rows]:
        """Check and add one record; yields a batch when one is full.

        Raises:
            ValueError: a value doesn't fit its column, or a key column is missing.
        """
        self._records.append(self._checked(record))
        if len(self._records) >= self._size:
            yield from self.flush()

    def flush(self) -> Iterator[Rows]:
        """Yield what has been collected, if anything."""
        if self._records:
            import pyarrow as pa

            table: pa.Table = pa.Table.from_pylist(self._records, schema=self._stream.schema())
            self._records = []
            yield Rows(self._stream.name, table)

    def _checked(self, record: Mapping[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in record.items():
            kind = self._types.get(name)
            if kind is None:
                if name == EXTRA:
                    extra.update(value or {})
                elif value is not None:
                    extra[name] = value
            else:
                row[name] = None if value is None else _fit(name, kind, value)
        missing = [name for name in self._required if row.get(name) is None]
        if missing:
            msg = f"key column {', '.join(sorted(missing))} is missing"
            raise ValueError(msg)
        row[EXTRA] = to_json(extra) if extra else None
        return row


def _fit(name: str, kind: str, value: Any) -> Any:
    """Return the value in the form that Arrow takes for a column of that kind."""
    if kind == "json":
        return to_json(value)
    if kind == "string" and isinstance(value, str):
        return clean(value)
    if kind == "integer" and isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "timestamp" and isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if kind == "datetime" and isinstance(value, datetime) and value.tzinfo is None:
        return value
    if kind == "date" and isinstance(value, date) and not isinstance(value, datetime):
        return value
    msg = f"column {name} takes {kind}, not {type(value).__name__} {str(value)[:80]!r}"
    raise ValueError(msg)
