"""Reads what changed of one kind of record, and replaces the rows that came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from typing import Any

from leat.sources.batch import Batch, to_json
from leat.sources.crm_accounting.streams import STREAMS
from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.change_marks import ChangeMarks
from leat.sources.crm_accounting.tryton.changes import Care, Marks, Part, changed_since, scan, touched
from leat.sources.crm_accounting.tryton.kinds import Kind
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, NotConfigured, Permanent, Unauthenticated
from leat.sources.events import Delete, Event, Failed, FullScan, Quarantined, Rows

_STREAMS = {stream.name: stream for stream in STREAMS}
_MAX_RECORD = 10_000
"""How many characters of a broken record the quarantine stores."""
_MANY = 10
"""A share of more than one in so many deleted records is left to the engine's guard, which judges a full scan."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading takes.

    Attributes:
        tryton: where to ask.
        sync: the extraction.
        care: how to look for changes.
        failures: why models could not be read.
        read_kinds: models that could be read.
    """

    tryton: Tryton
    sync: Sync
    care: Care
    failures: list[IntegrationError] = field(default_factory=list)
    read_kinds: list[str] = field(default_factory=list)
    _names: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def read(self, kind: Kind, before: ChangeMarks | None) -> Iterator[Event | ChangeMarks]:
        """Yield the events of a kind and, last, what is to be remembered.

        A kind that can't be read is a failure of its own streams: what was remembered of it stays, so that the next
        run finds what changed meanwhile.

        Args:
            kind: what to read.
            before: what is remembered; None reads everything.
        """
        try:
            yield from self._read(kind, before)
            self.read_kinds.append(kind.model)
        except IntegrationError as error:
            if not _is_of_one_model(error):
                raise
            self.failures.append(error)
            yield from (Failed(name, error) for name in kind.streams if name in self.sync.streams)
            if before is not None:
                yield before

    def _read(self, kind: Kind, before: ChangeMarks | None) -> Iterator[Event | ChangeMarks]:
        after = ChangeMarks({}, self._borrowed(kind))
        reader = self
        for part in (Part(kind.model), *kind.parts):
            if not self.tryton.has(part.model):
                continue
            before_marks = None if before is None else before.marks.get(part.model)
            try:
                after.marks[part.model] = scan(self.tryton, part, before_marks, self.care)
            except IntegrationError as error:
                if not part.streams or not _is_of_one_model(error):
                    raise
                after.marks[part.model] = {}  # all that belongs to it is read again when it can be read
                reader = replace(reader, tryton=reader.tryton.without(part.model))
                self.failures.append(error)
                yield from (Failed(name, error) for name in sorted(part.streams & self.sync.streams))
        own = after.marks[kind.model]
        if before is None or self._too_many(before.marks[kind.model], own):
            yield from reader._all(kind, own)
        else:
            yield from reader._some(kind, before, after)
        yield after

    def read_since(self, kind: Kind, moment: datetime) -> Iterator[Event]:
        """Yield the rows of the records that have changed from a time on, or anything that belongs to them."""
        try:
            yield from self._read_since(kind, moment)
        except IntegrationError as error:
            if not _is_of_one_model(error):
                raise
            yield from (Failed(name, error) for name in kind.streams if name in self.sync.streams)

    def _read_since(self, kind: Kind, moment: datetime) -> Iterator[Event]:
        changed: set[int] = set()
        for part in (Part(kind.model), *kind.parts):
            if self.tryton.has(part.model):
                changed |= changed_since(self.tryton, part, moment)
        read = _Rows(kind, self.sync, replace=True)
        yield from self._rows(kind, sorted(changed), dict.fromkeys(changed, (0, ())), read)

    def _some(self, kind: Kind, before: ChangeMarks, after: ChangeMarks) -> Iterator[Event]:
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
            because = f"{kind.model} was listed to its end: {self.tryton.ended.get(kind.model, 'nothing was there')}"
            yield from (FullScan(name, because=because) for name in kind.streams if name in self.sync.streams)

    def _rows(self, kind: Kind, numbers: Sequence[int], own: Marks, read: _Rows) -> Iterator[Event]:
        """Yield rows of records; one that was deleted since it was listed is forgotten."""
        ids: set[int] = set()
        for page in self.tryton.read(kind.model, kind.fields, numbers):
            self.sync.progress(f"read {kind.model}", len(page))
            ids |= {record["id"] for record in page}
            for record, error in self._completed(kind, page):
                yield from read.add(record) if error is None else read.refuse(record, error)
        yield from read.flush()
        for number in set(numbers) - ids:
            del own[number]

    def _completed(self, kind: Kind, records: list[Record]) -> Iterator[tuple[Record, Exception | None]]:
        """Yield records with what takes requests of its own; one that stops that comes with the error, alone."""
        try:
            completed = list(kind.complete(self.tryton, records))
        except IntegrationError:
            raise
        except Exception as error:  # a record may hold anything
            if len(records) == 1:
                yield records[0], error
                return
            for record in records:
                yield from self._completed(kind, [record])
            return
        yield from ((record, None) for record in completed)

    def _borrowed(self, kind: Kind) -> str:
        """Return a digest of the names that the rows of a kind borrow."""
        models = [model for model in kind.lookups if self.tryton.has(model)]
        for model in models:
            if model not in self._names:
                self._names[model] = [(r["id"], r["rec_name"]) for r in self.tryton.listing(model, ["rec_name"])]
        return hashlib.sha256(to_json([self._names[model] for model in models]).encode()).hexdigest()[:16]

    def _too_many(self, before: Marks, own: Marks) -> bool:
        return len(before.keys() - own.keys()) * _MANY > len(before) >= _MANY


def _is_of_one_model(error: IntegrationError) -> bool:
    """Return whether other models can be read after this failure."""
    return isinstance(error, Permanent) and not isinstance(error, Unauthenticated | NotConfigured)


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
            rows = self._checked(record)
        except IntegrationError:
            raise
        except Exception as error:  # a record may hold anything
            yield from self.refuse(record, error)
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

    def _checked(self, record: Record) -> list[tuple[str, Any]]:
        """Return the rows of a record; raises when it makes no sense, or a value doesn't fit its column."""
        rows = [(name, row) for name, row in self._kind.rows(record) if name in self._batches]
        for name, row in rows:
            list(Batch(_STREAMS[name]).add(row))
        return rows

    def refuse(self, record: Record, error: Exception) -> Iterator[Quarantined]:
        """Yield the quarantine of a record; its last good rows stay."""
        self.quarantined += 1
        stream = next(iter(self._batches), next(iter(self._kind.streams)))
        words = str(error) if isinstance(error, ValueError) else f"it isn't as Tryton has it ({type(error).__name__})"
        culprit = self._culprit(record)
        reason = f"field {culprit}: {words}" if culprit else words
        yield Quarantined(stream, f"{self._kind.model},{record['id']}", reason[:500], to_json(record)[:_MAX_RECORD])

    def _culprit(self, record: Record) -> str | None:
        """Return the field without which the record would make sense, or would fail otherwise."""
        nothings: tuple[Any, ...] = (None, [])
        for name, nothing in product((one for one in record if one != "id"), nothings):
            try:
                self._checked({**record, name: nothing})
            except Exception as error:  # it isn't this one
                del error
                continue
            return name
        return next((name for name in self._kind.fields if name.partition(".")[0] not in record), None)
