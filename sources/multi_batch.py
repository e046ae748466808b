"""Collects rows of several streams into batches, and drops those of streams that aren't selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from leat.sources.batch import Batch
from leat.sources.driver import Sync
from leat.sources.events import Rows
from leat.sources.stream import Stream

MAX_CHARACTERS = 16 * 2**20


class Replacement:
    """Rows on their way out; memory is bounded by their number and by the length of their texts."""

    def __init__(self, sync: Sync, streams: Sequence[Stream]) -> None:
        self._batches = {stream.name: Batch(stream) for stream in streams if stream.name in sync.streams}
        self._characters = 0

    def add(self, stream: str, row: Mapping[str, Any]) -> Iterator[Rows]:
        """Add a row; yields batches that are full."""
        return self.add_all(((stream, row),))

    def add_all(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Rows]:
        """Add rows, each with the name of its stream; yields batches that are full.

        Raises:
            ValueError: a row doesn't fit its stream; those before it are added.
        """
        for stream, row in rows:
            batch = self._batches.get(stream)
            if batch is None:
                continue
            before = batch.characters
            is_full = batch.put(row)
            self._characters += batch.characters - before
            if is_full:
                yield from batch.flush()
            if self._characters > MAX_CHARACTERS:
                yield from self.flush()

    def flush(self) -> Iterator[Rows]:
        """Yield what has been collected."""
        self._characters = 0
        for batch in self._batches.values():
            yield from batch.flush()
