"""Rows to Arrow, column by column: faster than dicts, for histories of millions of files.

Rows are tuples in the order of the stream's columns, without ``extra`` unless given; times are microseconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from leat.sources.events import Rows
from leat.sources.stream import Stream

_ROWS = 20_000
_BYTES = 8 << 20


class Table:
    """Collects the rows of a stream and gives them back in batches of bounded size.

    Args:
        stream: the stream the rows belong to.
        wanted: whether anybody wants them; otherwise they are dropped.
    """

    def __init__(self, stream: Stream, wanted: bool = True) -> None:
        self.stream = stream
        self.wanted = wanted
        self._rows: list[tuple[Any, ...]] = []
        self._extra: dict[int, str] = {}
        self._weight = 0

    def add(self, row: tuple[Any, ...], weight: int = 0, extra: Mapping[str, Any] | None = None) -> None:
        """Add a row. ``weight`` is roughly its size in bytes, where rows may be large."""
        if not self.wanted:
            return
        if extra:
            self._extra[len(self._rows)] = json.dumps(extra, sort_keys=True)
        self._rows.append(row)
        self._weight += weight

    def full(self) -> Iterator[Rows]:
        """Yield a batch if enough has been collected."""
        if len(self._rows) >= _ROWS or self._weight >= _BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[Rows]:
        """Yield what has been collected, if anything."""
        if not self._rows:
            return
        import pyarrow as pa

        schema = self.stream.schema()
        columns = [*zip(*self._rows, strict=True), [self._extra.get(i) for i in range(len(self._rows))]]
        arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
        self._rows, self._extra, self._weight = [], {}, 0
        yield Rows(self.stream.name, pa.Table.from_arrays(arrays, schema=schema))
