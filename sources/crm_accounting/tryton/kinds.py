"""What a kind of record of Tryton is to the streams, and the table of all kinds in the order in which they are read.

What refers is read before what it refers to: an invoice that is posted between two requests refers to an entry that is
read afterwards, never to one that was not there yet when entries were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from leat.sources.crm_accounting.tryton.api import Record, Tryton
from leat.sources.crm_accounting.tryton.changes import Part

Row = tuple[str, dict[str, Any]]
"""Name of a stream and values of its columns."""


def _as_it_is(_tryton: Tryton, records: list[Record]) -> list[Record]:
    return records


@dataclass(frozen=True, slots=True)
class Kind:
    """A model whose records become rows, with what belongs to them.

    Attributes:
        model: name of the model.
        streams: streams that it becomes, each with the column that has the record's id.
        fields: what is read of a record; with what belongs to it, in one request.
        rows: yields the rows of a record; raises ValueError for one that makes no sense.
        parts: models whose changes are changes of these records.
        lookups: models whose names are in the rows.
        complete: adds to records what takes requests of its own.
    """

    model: str
    streams: Mapping[str, str]
    fields: tuple[str, ...]
    rows: Callable[[Record], Iterator[Row]]
    parts: tuple[Part, ...] = ()
    lookups: tuple[str, ...] = ()
    complete: Callable[[Tryton, list[Record]], list[Record]] = field(default=_as_it_is)
