"""Records as they were cut out of an answer, opened into their fields; one that can't be opened says why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import msgspec

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.sources import json_raw as raw
from leat.sources.batch import clean
from leat.sources.json_path import EACH, Path
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.rows.values import sound

Values = Mapping[str, Any]

_SHOWN = 16_384
"""How much of a record the quarantine stores."""
_NUL = b"\\u0000"
_USUAL = 64 * 2**10
"""Larger records, on average, are opened one by one: a field may be too large."""


@dataclass(slots=True)
class Record:
    """One record.

    Attributes:
        fields: the texts of its fields by name, or of its entries by number, each sound JSON; None when it has none.
        size: how long its text is, about.
        is_object: whether it is an object.
        parent: the row of the parent for which the list was asked.
        name: the name under which it is in an object of records, as JSON.
        wrong: why it can't become a row.
    """

    fields: Mapping[str, msgspec.Raw] | None
    size: int
    is_object: bool = True
    parent: Values = field(default_factory=dict)
    name: bytes | None = None
    wrong: str | None = None
    _text: bytes | None = None

    @property
    def text(self) -> bytes:
        """The record as the server wrote it, without blanks."""
        return self._text if self._text is not None else msgspec.json.encode(self.fields)

    def shown(self) -> str:
        """Return the text for a person, cut when it is long."""
        text = self.text
        shown = text[:_SHOWN].decode("utf-8", "backslashreplace")
        return shown if len(text) <= _SHOWN else f"{shown}… ({len(text):,} bytes)"

    def digest(self) -> str:
        """Return what identifies this record."""
        return hashlib.md5(self.text, usedforsecurity=False).hexdigest()

    def reach(self, path: Path) -> Iterator[bytes]:
        """Yield the texts that a path leads to.

        Raises:
            ValueError: a value on the way can't be cut.
        """
        if not path:
            yield self.text
        elif self.fields is not None:
            step = path[0]
            several = [self.fields[step]] if isinstance(step, str) and step in self.fields else []
            for value in self.fields.values() if step is EACH else several:
                yield from raw.reach(bytes(value), path[1:])


_NOTHING: Mapping[str, msgspec.Raw] = {}


@dataclass(slots=True)
class Records(Sequence[Record]):
    """Records that become rows together; a :class:`Record` is made of a plain one only when it is asked for.

    Attributes:
        fields: of each record its fields; none where it has none.
        parents: of each the row of the parent for which the list was asked.
        size: how long their texts are, about.
        opened: those that were opened on their own, by their place.
    """

    fields: list[Mapping[str, msgspec.Raw]]
    parents: list[Values]
    size: int
    opened: dict[int, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Records:
        """Return records that were opened on their own."""
        opened = dict(enumerate(records))
        several = opened.values()
        fields = [record.fields or _NOTHING for record in several]
        return cls(fields, [record.parent for record in several], sum(record.size for record in several), opened)

    @classmethod
    def joined(cls, parts: Sequence[Records]) -> Records:
        """Return the records of all parts, in order."""
        if len(parts) == 1:
            return parts[0]
        whole = cls([], [], sum(part.size for part in parts))
        for part in parts:
            start = len(whole)
            whole.fields += part.fields
            whole.parents += part.parents
            whole.opened |= {start + place: record for place, record in part.opened.items()}
        return whole

    def __len__(self) -> int:
        return len(self.fields)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Records: ...

    def __getitem__(self, place: int | slice) -> Record | Records:
        if isinstance(place, int):
            place = range(len(self))[place]
            opened = self.opened.get(place)
            return opened or Record(self.fields[place], self._usual, parent=self.parents[place])
        start, stop, _ = place.indices(len(self))
        opened_there = {at - start: record for at, record in self.opened.items() if start <= at < stop}
        size = self.size * (stop - start) // max(len(self), 1)
        return Records(self.fields[start:stop], self.parents[start:stop], size, opened_there)

    @property
    def _usual(self) -> int:
        return self.size // max(len(self), 1)

    def pieces(self, largest: int) -> Iterator[Records]:
        """Yield the records in pieces of a size, or of one record where that is larger."""
        if self.size <= largest:
            yield self
            return
        start = size = 0
        for place in range(len(self)):
            one = self.opened[place].size if place in self.opened else self._usual
            if size + one > largest and place > start:
                yield self[start:place]
                start, size = place, 0
            size += one
        yield self[start:]


def open_list(endpoint: Endpoint, text: bytes, parent: Values) -> Records:
    """Return the records of a JSON array: all at once where nothing in it is odd, else each on its own.

    Raises:
        ValueError: it is no array.
    """
    if endpoint.keyed_by is None:
        try:
            text = raw.compact(text)
            records = msgspec.json.decode(text, type=list[Mapping[str, msgspec.Raw]])
        except (ValueError, RecursionError, msgspec.DecodeError):
            pass
        else:
            size = len(text) // len(records) + 1 if records else 0
            lost = len(msgspec.json.encode(records)) != len(text)  # a name that is there twice, or escapes in a name
            if not lost and (b"\\" not in text or _NUL not in text) and size <= _USUAL:
                return Records(records, [parent] * len(records), len(text))
    return Records.of(open_records(endpoint, raw.items(text), parent))


def open_records(endpoint: Endpoint, texts: Iterable[bytes], parent: Values) -> Iterator[Record]:
    """Yield records opened; each may be wrong on its own.

    Args:
        endpoint: its declaration.
        texts: JSON of the records; of pairs of a name and a record where they were in an object.
        parent: the row of the parent for which the list was asked.
    """
    for text in texts:
        name = None
        if endpoint.keyed_by is not None:
            name, text = raw.items(text)  # noqa: PLW2901 - made by us
        yield _opened(text, name, parent)


def _opened(text: bytes, name: bytes | None, parent: Values) -> Record:
    record = Record(None, len(text), text.lstrip()[:1] == b"{", parent, name, None, text)
    try:
        text = record._text = raw.compact(text)
        odd = _NUL in text or len(text) > MAX_FIELD_BYTES
    except ValueError:
        odd = True
    try:
        fields = raw.opened(text)
        if odd and fields is not None:
            fields, record.wrong = _sound_fields(fields)
            record._text = text if record.wrong else msgspec.json.encode(fields)
        elif odd:
            record._text = bytes(_sound("the record", text))
        record.fields = fields
        record.name = name and bytes(_sound("the record's name", name))
    except UnicodeDecodeError:
        record.wrong = "the name of a field is not UTF-8"
    except ValueError as error:
        record.wrong = str(error)
    return record


def _sound_fields(fields: Mapping[str, msgspec.Raw]) -> tuple[dict[str, msgspec.Raw], str | None]:
    """Return the fields that are sound, and what is wrong with the first of the others."""
    result: dict[str, msgspec.Raw] = {}
    wrong = None
    for key, value in fields.items():
        try:
            result[clean(key)] = _sound(f"field {key[:80]!r}", bytes(value))
        except ValueError as error:
            wrong = wrong or str(error)
    return result, wrong


def _sound(what: str, text: bytes) -> msgspec.Raw:
    try:
        return msgspec.Raw(sound(text))
    except ValueError as error:
        msg = f"{what} {error}"
        raise ValueError(msg) from None
