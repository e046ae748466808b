"""What a driver yields as Arrow tables to be landed: rows by stream, and everything that is not a row as events.

Rows and events are numbered in order of arrival. Streams and columns land under names of leat's own, made of the
letters of theirs, so that nothing on the way can take them for others or rename them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.conversion import Conversion, broken_contract, converted, quarantine_data
from leat.pipelines.load.encrypting import compared
from leat.pipelines.load.stream_failures import Failure
from leat.sources.batch import to_json
from leat.sources.events import Cursor, Delete, Event, Failed, FullScan, Listed, Logged, Masked, Quarantined, Rows
from leat.sources.stream import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

EVENTS = "leat_events"
SEQUENCE = "_seq"
MAX_BYTES = 8 * 2**20
"""How much of a stream is written at once, unless a single row has more."""

Piece = tuple[str, "pa.Table"]
"""The name of a landed table, and a part of it."""

_ROWS = 5_000
_EVENTS_PER_BATCH = 5_000


def landed_stream(name: str) -> str:
    """Return what a stream is called in a landing."""
    return f"s_{name.encode().hex()}"


def landed_column(name: str) -> str:
    """Return what a column is called in a landing."""
    return f"c_{name.encode().hex()}"


@dataclass(slots=True)
class _Waiting:
    """Tables of one stream that are too small to be written one by one."""

    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    size: int = 0


class _Log:
    """Numbers what arrives, and gives it out in pieces of a bounded size."""

    def __init__(self, integration: str, conversion: Conversion) -> None:
        self._integration = integration
        self._conversion = conversion
        self._sequence = 0
        self._events: list[dict[str, Any]] = []
        self._waiting: dict[str, _Waiting] = {}
        self._counts: dict[str, int] = {}

    def add_rows(self, event: Rows) -> Iterator[Piece]:
        """Take rows; those that no warehouse can hold become events."""
        if event.stream not in self._conversion.tables:
            return
        for part in _parts(event.table):
            table, refused = converted(self._integration, replace(event, table=part), self._conversion)
            yield from self._add_table(event.stream, table)
            for one in refused:
                yield from self.add_event(one)

    def _add_table(self, stream: str, table: pa.Table) -> Iterator[Piece]:
        import pyarrow as pa

        if not table.num_rows:
            return
        numbers = pa.array(range(self._sequence, self._sequence + table.num_rows), pa.int64())
        named = table.rename_columns([landed_column(name) for name in table.column_names])
        waiting = self._waiting.setdefault(stream, _Waiting())
        waiting.tables.append(named.append_column(SEQUENCE, numbers))
        waiting.rows += table.num_rows
        waiting.size += table.nbytes
        self._sequence += table.num_rows
        self._counts[stream] = self._counts.get(stream, 0) + table.num_rows
        if waiting.rows >= _ROWS or waiting.size >= MAX_BYTES:
            yield self._written(stream)
        elif sum(each.size for each in self._waiting.values()) >= 2 * MAX_BYTES:
            yield from [self._written(each) for each in list(self._waiting)]

    def _written(self, stream: str) -> Piece:
        import pyarrow as pa

        return landed_stream(stream), pa.concat_tables(self._waiting.pop(stream).tables)

    def add_event(self, event: Event) -> Iterator[Piece]:
        """Take an event other than rows."""
        row = _event_row(self._integration, event, self._conversion)
        if row is not None:
            self._note(row)
        if len(self._events) >= _EVENTS_PER_BATCH:
            yield self._events_table()

    def end(self) -> Iterator[Piece]:
        """Give out what is left, and how many rows there are."""
        yield from [self._written(stream) for stream in list(self._waiting)]
        self._note({"kind": "end", "stream": "", "data": to_json({"rows": self._counts})})
        yield self._events_table()

    def _note(self, row: Mapping[str, str]) -> None:
        self._events.append({SEQUENCE: self._sequence, **row})
        self._sequence += 1

    def _events_table(self) -> Piece:
        import pyarrow as pa

        names = ("kind", "stream", "data")
        schema = arrow_schema((Column(SEQUENCE, "integer", ""), *(Column(name, "string", "") for name in names)))
        rows, self._events = self._events, []
        return EVENTS, pa.Table.from_pylist(rows, schema=schema)


def items(integration: str, events: Iterator[Event], conversion: Conversion) -> Iterator[Piece]:
    """Yield Arrow tables, each with the name of the landed table that it is a part of.

    Raises:
        BrokenContract: the driver yielded something else than it promises.
    """
    log = _Log(integration, conversion)
    for event in events:
        yield from log.add_rows(event) if isinstance(event, Rows) else log.add_event(event)
    yield from log.end()


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in parts of a bounded size."""
    if table.num_rows <= 1 or table.nbytes <= MAX_BYTES:
        yield table
        return
    half = table.num_rows // 2
    yield from _parts(table.slice(0, half))
    yield from _parts(table.slice(half))


def _event_row(integration: str, event: Event, conversion: Conversion) -> dict[str, str] | None:
    """Return an event other than Rows as a row of :data:`EVENTS`; None when its stream is not selected."""
    if isinstance(event, Cursor):
        return {"kind": "cursor", "stream": "", "data": to_json(event.value)}
    if isinstance(event, Logged):
        data = conversion.plain(event.data)
        return {"kind": "log", "stream": "", "data": to_json({"event_type": event.event_type, "data": data})}
    if not isinstance(event, Quarantined | Delete | FullScan | Listed | Failed):
        raise broken_contract(integration, f"{type(event).__name__} is no event")
    if event.stream not in conversion.tables:
        return None
    if isinstance(event, Failed):
        failure = conversion.plain(Failure.of_event(event).as_json())
        return {"kind": "failed", "stream": event.stream, "data": to_json(failure)}
    if isinstance(event, Listed):
        return {"kind": "listed", "stream": event.stream, "data": to_json({"because": event.because})}
    if isinstance(event, Quarantined):
        data = quarantine_data(integration, event, conversion)
        return {"kind": "quarantined", "stream": event.stream, "data": to_json(data)}
    where = _where(integration, event, conversion)
    if isinstance(event, Delete):
        return {"kind": "delete", "stream": event.stream, "data": to_json(where)}
    return {"kind": "full_scan", "stream": event.stream, "data": to_json({"where": where, "because": event.because})}


def _where(integration: str, event: Delete | FullScan, conversion: Conversion) -> dict[str, Any]:
    """Return the columns and values that an event names, as the rows have them."""
    wanted = conversion.tables[event.stream]
    unknown: Sequence[str] = [name for name, v in event.where.items() if name not in wanted.columns or v is None]
    if unknown or (isinstance(event, Delete) and not event.where):
        got = f"a {type(event).__name__} of {event.stream} names {unknown or 'no column'}"
        raise broken_contract(integration, got)
    forgetting = conversion.erased.get(event.stream)
    where = {n: v if forgetting is None else forgetting.value(n, v) for n, v in event.where.items()}
    return {name: _as_stored(integration, event.stream, name, v, conversion) for name, v in where.items()}


def _as_stored(integration: str, stream: str, name: str, value: Any, conversion: Conversion) -> Any:
    """Return a value of a column as the rows have it."""
    wanted = conversion.tables[stream]
    if isinstance(value, Masked):
        return value
    if name in wanted.encrypted:
        try:
            return compared(integration, stream, name, wanted.encrypted[name], value, conversion.cipher)
        except ValueError as error:
            raise broken_contract(integration, f"an event of {stream}: column {name} {error}") from error
    return conversion.mask(str(value)) if name in wanted.masked else value
