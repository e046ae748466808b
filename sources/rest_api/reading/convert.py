"""Spooled pages to events: rows, records that don't fit, the rows of lists that are nested in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from leat.sources.events import Delete, Event, Quarantined, Rows
from leat.sources.http.credentials import digest
from leat.sources.rest_api.answers.shapes import nested_entries
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.reading.spool import Spooled
from leat.sources.rest_api.reading.watermark import Seen
from leat.sources.rest_api.rows.records import Record, Records, Values, open_list, open_records
from leat.sources.rest_api.rows.tables import Read, Tables

CHUNK = 16 * 2**20
"""Bytes of records that are made into a table at a time, whether that are many pages or a part of one."""


@dataclass(slots=True)
class Converter:
    """Makes events of the pages of one endpoint.

    Attributes:
        name: of the endpoint.
        endpoint: its declaration.
        nested: endpoints whose lists are in its records, those that are wanted.
        wanted: whether rows of the endpoint itself are; else it is only read for its children.
        remembered: columns whose values other endpoints need: those that are requested once for each row.
        replace: whether nested rows that were loaded before are to be deleted one record at a time.
        rows: how many rows were read.
        bad: how many records didn't fit.
        refused: a digest of those.
        bad_nested: nested endpoints that have such records.
        values: rows of the parent that were read, as far as they are remembered.
        seen: collects the newest records, where the list grows.
        complete: whether ``values`` has every row that the system has.
        chunk: bytes of records that are made into a table at a time.
        hidden: columns of the parent whose values are on no disk and in no error.
        gone: keys of rows that the system says are gone.
    """

    name: str
    endpoint: Endpoint
    nested: Mapping[str, Endpoint]
    wanted: bool
    remembered: tuple[str, ...]
    replace: bool = False
    rows: int = 0
    bad: int = 0
    refused: str = ""
    bad_nested: set[str] = field(default_factory=set)
    values: dict[tuple[Any, ...], Values] = field(default_factory=dict)
    seen: Seen | None = None
    complete: bool = False
    hidden: frozenset[str] = frozenset()
    chunk: int = CHUNK
    gone: list[Values] = field(default_factory=list)

    def events(self, pages: list[Spooled]) -> Iterator[Event]:
        """Yield the events of some pages, and remove them."""
        tables = Tables(self.name, self.endpoint, None)
        for records in _chunks(self._records(pages), self.chunk):
            yield from self._of_chunk(tables, records)

    def _records(self, pages: list[Spooled]) -> Iterator[Records]:
        for page in pages:
            text = page.read()
            page.remove()
            yield open_list(self.endpoint, text, page.parent)

    def _of_chunk(self, tables: Tables, records: Records) -> Iterator[Event]:
        read = tables.read(records)
        self.rows += len(read.table)
        self.bad += len(read.bad)
        if read.bad:
            self.refused = digest(self.refused, *(f"{each.reason} {each.record}" for each in read.bad))
        self._remember(read)
        if self.seen is not None:
            self.seen.add(read.table, read.digests)
        if self.wanted:
            yield Rows(self.name, read.table, judged=True)
            yield from read.bad
        for name, endpoint in self.nested.items():
            if self.replace:
                yield from self._deletes(name, endpoint, read)
            yield from self._nested(name, endpoint, records)

    def _nested(self, name: str, endpoint: Endpoint, records: Records) -> Iterator[Event]:
        """Yield the rows of lists in records."""
        nested: list[Record] = []
        outer: list[Record] = []
        path = endpoint.records_path()
        for record in records:
            try:
                texts = list(nested_entries(endpoint, record.reach(path)))
            except ValueError as error:
                self.bad_nested.add(name)
                reason = f"field {endpoint.records} {error}"
                yield Quarantined(name, f"record {record.digest()[:16]}", reason, record.shown())
                continue
            nested += open_records(endpoint, texts, {})
            outer += [record] * len(texts)
        inner = Tables(name, endpoint, self.endpoint).read(Records.of(nested), Records.of(outer))
        yield Rows(name, inner.table, judged=True)
        yield from inner.bad
        if inner.bad:
            self.bad_nested.add(name)

    def _remember(self, read: Read) -> None:
        if self.remembered:
            for row in read.table.select(list(self.remembered)).to_pylist():
                if None not in row.values():
                    self.values[tuple(row.values())] = row

    def _deletes(self, name: str, endpoint: Endpoint, read: Read) -> Iterator[Event]:
        """Yield deletes of the nested rows of every record that was read."""
        taken = {column: str(o.parent) for column, o in endpoint.columns.items() if o.parent in self.endpoint.key}
        for row in read.table.select(sorted(set(taken.values()))).to_pylist():
            yield Delete(name, {column: row[parent] for column, parent in taken.items()})


def _chunks(parts: Iterable[Records], largest: int) -> Iterator[Records]:
    """Yield records by so many that their texts are bounded."""
    chunk: list[Records] = []
    size = 0
    for part in parts:
        for piece in part.pieces(largest):
            if chunk and size + piece.size > largest:
                yield Records.joined(chunk)
                chunk, size = [], 0
            chunk.append(piece)
            size += piece.size
    if chunk:
        yield Records.joined(chunk)
