"""Reads what changed of one kind of record, and replaces the rows that came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sources.batch import Batch, to_json
from sources.crm_accounting.changes import Care, Marks, Part, changed_since, scan, touched
from sources.crm_accounting.kinds import Kind
from sources.crm_accounting.known import Known
from sources.crm_accounting.rest import Record, Tryton
from sources.crm_accounting.streams import STREAMS
from sources.driver import Sync
from sources.events import Delete, Event, FullScan, Quarantined, Rows

_STREAMS = {stream.name: stream for stream in STREAMS}
_MAX_RECORD = 10_000
"""Characters of a broken record that the quarantine keeps."""
_MANY = 10
"""A share of more than one in so many deleted records is left to the engine's guard, which judges a full scan."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading takes.

    Attributes:
        tryton: where to ask.
        sync: the extraction.
        care: how to look for changes.
    """

    tryton: Tryton
    sync: Sync
    care: Care
    _names: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def read(self, kind: Kind, before: Known | None) -> Iterator[Event | Known]:
        """Yield the events of a kind and, last, what is to be remembered.

        Args:
            kind: what to read.
            before: what is remembered; None reads everything.
        """
        after = Known({}, self._borrowed(kind))
        parts = [part for part in (Part(kind.model), *kind.parts) if self.tryton.has(part.model)]
        for part in parts:
            known = None if before is None else before.marks.get(part.model)
            after.marks[part.model] = scan(self.tryton, part, known, self.care)
        own = after.marks[kind.model]
        if before is None or self._too_many(before.marks[kind.model], own):
            yield from self._all(kind, own)
        else:
            yield from self._some(kind, before, after)
        yield after

    def read_since(self, kind: Kind, moment: datetime) -> Iterator[Event]:
        """Yield the rows of the records that have changed from a time on, or anything that belongs to them."""
        changed: set[int] = set()
        for part in (Part(kind.model), *kind.parts):
            if self.tryton.has(part.model):
                changed |= changed_since(self.tryton, part, moment)
        read = _Rows(kind, self.sync, replace=True)
        yield from self._rows(kind, sorted(changed), dict.fromkeys(changed, (0, ())), read)

    def _some(self, kind: Kind, before: Known, after: Known) -> Iterator[Event]:
        own = after.marks[kind.model]
        changed = {n for name in after.marks for n in touched(before.marks.get(name, {}), after.marks[name])}
        if before.names != after.names:
            changed |= own.keys()
        read = _Rows(kind, self.sync, replace=True)
        yield from self._rows(kind, sorted(changed & own.keys()), own, read)
        for number in sorted(before.marks[kind.model].keys() - own.keys()):
            yield from read.deletes(number)

    def _all(self, kind: Kind, own: Marks) -> Iterator[Event]:
        read = _Rows(kind, self.sync, replace=False)
        yield from self._rows(kind, sorted(own), own, read)
        if not read.quarantined:
            yield from (FullScan(name) for name in kind.streams if name in self.sync.streams)

    def _rows(self, kind: Kind, numbers: Sequence[int], own: Marks, read: _Rows) -> Iterator[Event]:
        """Yield rows of records; one that was deleted since it was listed is forgotten."""
        found: set[int] = set()
        for page in self.tryton.read(kind.model, kind.fields, numbers):
            self.sync.progress(f"read {kind.model}", len(page))
            found |= {record["id"] for record in page}
            for record in kind.complete(self.tryton, page):
                yield from read.add(record)
        yield from read.flush()
        for number in set(numbers) - found:
            del own[number]

    def _borrowed(self, kind: Kind) -> str:
        """Return a digest of the names that the rows of a kind borrow."""
        models = [model for model in kind.lookups if self.tryton.has(model)]
        for model in models:
            if model not in self._names:
                self._names[model] = [(r["id"], r["rec_name"]) for r in self.tryton.listing(model, ["rec_name"])]
        return hashlib.sha256(to_json([self._names[model] for model in models]).encode()).hexdigest()[:16]

    def _too_many(self, before: Marks, own: Marks) -> bool:
        return len(before.keys() - own.keys()) * _MANY > len(before) >= _MANY


class _Rows:
    """Rows of one kind on their way out, each record's together."""

    def __init__(self, kind: Kind, sync: Sync, *, replace: bool) -> None:
        self.quarantined = 0
        self._kind = kind
        self._replace = replace
        self._batches = {name: Batch(_STREAMS[name]) for name in kind.streams if name in sync.streams}

    def add(self, record: Record) -> Iterator[Event]:
        """Yield the events of a record; one that can't be understood is quarantined, and its last good rows stay."""
        try:
            rows = [(name, row) for name, row in self._kind.rows(record) if name in self._batches]
            for name, row in rows:
                list(Batch(_STREAMS[name]).add(row))  # raises when a value doesn't fit its column
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            self.quarantined += 1
            yield self._broken(record, error)
            return
        if self._replace:
            yield from self.deletes(record["id"])
        for name, row in rows:
            yield from self._batches[name].add(row)

    def deletes(self, number: int) -> Iterator[Delete]:
        """Yield the end of all rows of a record."""
        yield from (Delete(name, {self._kind.streams[name]: str(number)}) for name in self._batches)

    def flush(self) -> Iterator[Rows]:
        """Yield what has been collected."""
        for batch in self._batches.values():
            yield from batch.flush()

    def _broken(self, record: Record, error: Exception) -> Quarantined:
        stream = next(iter(self._batches), next(iter(self._kind.streams)))
        words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        name = f"{self._kind.model},{record['id']}"
        return Quarantined(stream, name, words[:500], to_json(record)[:_MAX_RECORD])
