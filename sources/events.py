"""What a driver yields while it reads a system: rows, deletes, complete listings, bad records, failures, a cursor.

The order of the events is their order of arrival; the engine preserves it. All events of one extraction are
applied to the warehouse in one transaction, together with the last :class:`Cursor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leat.sources.errors import IntegrationError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Rows:
    """New or changed rows of a stream, in the stream's Arrow schema (see :class:`leat.sources.batch.Batch`).

    Args:
        stream: the stream.
        table: the rows.
        judged: whether each value is proven to be in its type's domain (:mod:`leat.sources.domain`) when it was put
            into the table, as Batch does; it isn't judged once more when it is landed.
    """

    stream: str
    table: pa.Table
    judged: bool = False


class Masked(str):
    """A value of a column that is hashed or encrypted already, in the ``where`` of an event.

    A driver that has to remember such a value remembers what ``Sync.conceal`` returns for it.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Rows that no longer exist in the system.

    ``where`` names columns and the values they had; it need not be the whole key: ``{"calendar": "a"}`` deletes every
    row of that calendar that was not yielded again *after* this event. To replace the children of a record, yield a
    Delete with the parent's key and then the Rows of the children.
    """

    stream: str
    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FullScan:
    """Proof that the listing of a stream was complete: rows that this extraction did not yield no longer exist.

    Only for a stream with ``deletes="full_scan"``, and only when the system has confirmed the end of the listing.

    Args:
        stream: the stream.
        where: restricts the claim, for example to one repository.
        because: what proved that the listing was complete, for example ``total of 220 reached``.
    """

    stream: str
    where: Mapping[str, Any] = field(default_factory=dict)
    because: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing of a stream ended for a reason that was seen; it proves nothing about rows that it did not name.

    Args:
        stream: the stream.
        because: what proved that the listing was complete, for example ``no next link after pages that had one``.
    """

    stream: str
    because: str


@dataclass(frozen=True, slots=True)
class Failed:
    """One stream could not be read; the others can.

    Nothing of the stream in this extraction is applied, wherever the event comes in the order; its rows stay as they
    were, and the run ends as failed after the other streams were applied. A driver that yields this leaves the
    stream's part of its cursor as it was.

    With ``where``, only that part of the stream could not be read, for example one calendar of an account or one of
    several repositories: the driver yields nothing of the part, neither rows nor deletes, and leaves the part's place
    in its cursor as it was. The engine applies the rest of the stream, and the run ends as failed all the same.

    Args:
        stream: the stream.
        error: why, with what to do next.
        where: columns and their values: the part that failed; empty for the whole stream.
    """

    stream: str
    error: IntegrationError
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One record that could not be turned into a row.

    Args:
        stream: the stream it would have belonged to.
        key: what identifies the record for a person, for example a path or a UID.
        reason: why, in words that say what to fix; names the field and never holds a value.
        record: the record as it came, as text; bytes that aren't text are escaped.
        identity: the key columns of the row that it would have become, if all have values; that row then stays as it
            was. Without it, no listing proves in this load that a row of the stream is gone.
    """

    stream: str
    key: str
    reason: str
    record: str
    identity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logged:
    """Something for the integration's log, for example ``sync_token_expired``."""

    event_type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next extraction goes on. A plain JSON value; the last one yielded counts."""

    value: Mapping[str, Any]


Event = Rows | Delete | FullScan | Listed | Failed | Quarantined | Logged | Cursor
Events = Sequence[Event]
