"""What changed since the last run: by time of change, with an overlap, and by a listing of all ids when one is missing.

Tryton stamps a record with the time at which the transaction that changed it *began*, so one can appear with a stamp
older than, or equal to, one that was read already. Therefore the time is asked for with an overlap, and what was read
already is recognised by the stamp that leat remembers of each record. A record that is deleted leaves nothing behind:
when Tryton counts other than what is remembered, all ids are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.values import follow, from_stamp, stamp

Mark = tuple[int, tuple[int, ...]]
"""When a record was last changed, in microseconds, and the ids of the records that it belongs to."""
Marks = dict[int, Mark]
UNREADABLE = 0
"""A time of change that can't be read: such a record is read again in each run."""


@dataclass(frozen=True, slots=True)
class Part:
    """A model whose changes are changes of the records that it belongs to.

    Attributes:
        model: name of the model.
        path: names of fields that lead to the record, or records, that it belongs to; empty for the record itself.
        streams: the streams that can't be read without it; empty for all of the record.
    """

    model: str
    path: str = ""
    streams: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Care:
    """How to look for changes.

    Attributes:
        overlap: seconds by which to ask again for what was seen.
        few: models with at most so many records are listed whole, which is one request too, and needs no clock.
    """

    overlap: int
    few: int


def scan(tryton: Tryton, part: Part, before: Marks | None, care: Care) -> Marks:
    """Return the marks of all records of a model as they are now.

    Args:
        tryton: where to ask.
        part: the model.
        before: the marks of the last run; None lists everything.
        care: how to look.
    """
    if not before or len(before) <= care.few:
        return dict(_marks(tryton, part, ()))
    newest = max(changed for changed, _ in before.values())
    marks = {**before, **dict(_marks(tryton, part, _changed_since(newest - care.overlap * 10**6)))}
    if tryton.holds(part.model, len(marks)):
        return marks
    return dict(_marks(tryton, part, ()))


def touched(before: Marks, after: Marks) -> set[int]:
    """Return the ids of the records that something changed of between two scans."""
    result: set[int] = set()
    for number in before.keys() | after.keys():
        old, new = before.get(number), after.get(number)
        if old != new or (new is not None and new[0] == UNREADABLE):
            for mark in (old, new):
                result.update(mark[1] if mark else ())
    return result


def changed_since(tryton: Tryton, part: Part, moment: datetime) -> set[int]:
    """Return the ids of the records that a change of a model from a time on is a change of."""
    changed = _marks(tryton, part, _changed_since(int(moment.timestamp() * 10**6)))
    return {owner for _, (_, owners) in changed for owner in owners}


def _marks(tryton: Tryton, part: Part, domain: tuple[Any, ...]) -> Iterator[tuple[int, Mark]]:
    fields = ["create_date", "write_date", *([part.path] if part.path else [])]
    for record in tryton.listing(part.model, fields, domain):
        yield record["id"], _mark(part, record)


def _mark(part: Part, record: Record) -> Mark:
    owner = follow(record, part.path) if part.path else record["id"]
    owners = owner if isinstance(owner, list) else [owner]
    return _changed(record), tuple(one for one in owners if isinstance(one, int))


def _changed(record: Record) -> int:
    """Return when a record was changed; one odd record must not stop the others."""
    try:
        written = record.get("write_date")
        return stamp(record.get("create_date") if written is None else written) or UNREADABLE
    except (ValueError, KeyError, TypeError, OverflowError):
        return UNREADABLE


def _changed_since(microseconds: int) -> tuple[Any, ...]:
    at = from_stamp(microseconds)
    never_changed = [["write_date", "=", None], ["create_date", ">=", at]]
    return (["OR", ["write_date", ">=", at], never_changed],)
