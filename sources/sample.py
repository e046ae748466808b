"""A sample of a stream before it is loaded: a little of it, read as a load would read it, and stored nowhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leat.sources.errors import IntegrationError
from leat.sources.events import Quarantined

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Sample:
    """What a driver has seen of one stream.

    Attributes:
        stream: its name.
        read: what was read, in words, for example ``2 pages with 100 and 37 records``.
        tables: the rows, in the stream's Arrow schema; where the stream has no columns yet, in a proposed one.
        bad: the records that would be quarantined.
        complete: why that was all, if it was; as :class:`leat.sources.events.FullScan` says it.
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

    @property
    def is_good(self) -> bool:
        """Whether a load would have rows of it: it can be read, and not all of its records would be quarantined."""
        return self.error is None and not (self.bad and not self.rows)

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return sum(table.num_rows for table in self.tables)

    @property
    def words(self) -> str:
        """The result, in a sentence."""
        if self.error is not None:
            return str(self.error)
        ending = "more follow" if self.more else self.complete
        parts = [", ".join(part for part in (self.read, ending) if part), *self.notes]
        if self.bad:
            (reason, count), *_ = Counter(record.reason for record in self.bad).most_common(1)
            often = f"{count:,} because {reason}" if count < len(self.bad) else reason
            parts.append(f"{len(self.bad):,} of {len(self.bad) + self.rows:,} records would be quarantined: {often}")
        return "; ".join(parts)
