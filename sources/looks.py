"""A look at a stream before it is loaded: a little of it, read as a load would read it, and nothing kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sources.errors import IntegrationError
from sources.events import Quarantined

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Look:
    """What a driver has seen of one stream.

    Attributes:
        stream: its name.
        read: what was read, in words, for example ``2 pages with 100 and 37 records``.
        tables: the rows, in the stream's Arrow schema; where the stream has no columns yet, in a proposed one.
        bad: the records that would be quarantined.
        complete: why that was all, if it was; as :class:`sources.events.FullScan` says it.
        more: whether there are more records than were read.
        error: why it can't be read to its end, or at all.
        proposed: what is to be declared where that is left open, as YAML.
        notes: what else is worth knowing, in sentences.
    """

    stream: str
    read: str
    tables: tuple[pa.Table, ...] = ()
    bad: tuple[Quarantined, ...] = ()
    complete: str = ""
    more: bool = False
    error: IntegrationError | None = None
    proposed: str = ""
    notes: tuple[str, ...] = ()
