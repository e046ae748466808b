"""Landing: dlt writes what a driver yields into a folder that belongs to this one load of this one integration.

::

    landing/<integration>/<load id>/work/             dlt's working folder
    landing/<integration>/<load id>/data/<stream>/    parquet files, one row group a batch
    landing/<integration>/<load id>/data/leat_events/ deletes, scans, quarantine, log, cursor: what is not a row
    landing/<integration>/<load id>/data/_dlt_loads/  dlt's marker: the load is complete

A load without dlt's marker never happened: it is removed, not resumed. The cursor is a landed event like the others
and is applied with the rows, so a landing may be removed at any time and the next extraction brings the same again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.project import make_private
from pipelines.shape import Shape
from pipelines.stream_failures import Failure
from sources.batch import to_json
from sources.errors import IntegrationError, Permanent
from sources.events import Cursor, Delete, Event, Failed, FullScan, Listed, Logged, Quarantined, Rows
from sources.stream import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

EVENTS = "leat_events"
SEQUENCE = "_seq"
_EVENTS_PER_BATCH = 5_000
_DATA = "data"
_WITHHELD = "not kept, for columns of this stream are masked"
LOAD_ID = "%Y%m%dT%H%M%S%f"

Observer = Callable[[str], None]


class BrokenContract(Permanent):
    """A driver yielded what the engine can't take; the driver has to be mended."""


def broken_contract(integration: str, got: str) -> BrokenContract:
    """Return the error for what a driver did wrong."""
    return BrokenContract(
        integration, "reading what the driver yields", got, "report this: the driver has to be mended; nothing is lost"
    )


@dataclass(frozen=True, slots=True)
class Shaping:
    """What is kept of what a driver yields.

    Attributes:
        shapes: the selected streams.
        mask_key: the key of the hash that replaces masked values.
    """

    shapes: Mapping[str, Shape]
    mask_key: bytes

    def mask(self, value: str) -> str:
        """Return the keyed hash of a value: equal values stay equal, across streams and integrations too."""
        return hmac.new(self.mask_key, value.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Landed:
    """A complete landed load.

    Attributes:
        load_id: its id; ids of one integration sort in the order of their extraction.
        folder: where it lies.
    """

    load_id: str
    folder: Path

    def files(self, table: str) -> list[Path]:
        """Return the parquet files of a stream, or of :data:`EVENTS`."""
        return sorted((self.folder / "data" / _DATA / table).glob("*.parquet"))

    def events(self) -> Iterator[tuple[int, str, str, Any]]:
        """Yield (sequence number, kind, stream, data) of everything that is not a row, in order of arrival."""
        from pyarrow import parquet

        for file in self.files(EVENTS):
            with parquet.ParquetFile(file) as reader:
                for batch in reader.iter_batches():
                    for row in batch.to_pylist():
                        yield row[SEQUENCE], row["kind"], row["stream"], json.loads(row["data"])

    def failures(self, streams: Collection[str]) -> dict[str, Failure]:
        """Return the streams, of these, that the driver has reported as failed."""
        failures: dict[str, Failure] = {}
        for _, kind, stream, data in self.events():
            if kind == "failed" and stream in streams:
                failures[stream] = Failure(**data).joined(failures.get(stream))
        return failures

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Make the folder and keep in it how the load is to be applied."""
        make_private(self.folder.parent)
        self.folder.mkdir(mode=0o700)
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    def read_plan(self) -> dict[str, Any] | None:
        """Return what :meth:`write_plan` kept; None when it can't be read."""
        try:
            plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return plan if isinstance(plan, dict) and plan.keys() >= {"plan", "shapes", "after"} else None

    def remove(self) -> None:
        """Remove the load; safe to be killed at any point, for what has no plan is not applied."""
        with contextlib.suppress(OSError):
            (self.folder / "plan.json").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def next_load_id(now: datetime, after: str) -> str:
    """Return an id for a load that sorts behind ``after``, even when the clock went backwards."""
    if after:
        now = max(now, datetime.strptime(after, LOAD_ID).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return f"{now.astimezone(UTC):{LOAD_ID}}"


def landed_loads(folder: Path) -> list[Landed]:
    """Return the complete loads in an integration's landing folder, oldest first; removes incomplete ones."""
    loads = []
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if any((path / "data" / _DATA / "_dlt_loads").glob("*")):
            loads.append(Landed(path.name, path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return loads


def land(landed: Landed, integration: str, events: Iterator[Event], shaping: Shaping, observe: Observer) -> None:
    """Write a driver's events to a landing with dlt and mark it complete.

    Args:
        landed: where to; its folder has been made by :meth:`Landed.write_plan`.
        integration: name of the declaration.
        events: what the driver yields; read in a stream, memory holds a batch.
        shaping: the selected streams; events of others are dropped.
        observe: called with ``extracting``, ``extracted``, ``normalized`` and ``landed``.

    Raises:
        IntegrationError: as the driver raised it; BrokenContract when it yielded something else than it promises.
        OSError: the landing can't be written.
    """
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    # dlt uses pandas as soon as sys.modules has it, even half imported by another thread: wait for the whole.
    importlib.import_module("pandas")
    import dlt

    source = _dlt_source(integration, lambda: _items(integration, events, shaping))
    pipeline = dlt.pipeline(
        integration,
        pipelines_dir=str(landed.folder / "work"),
        destination=dlt.destinations.filesystem(str(landed.folder / "data")),
        dataset_name=_DATA,
    )
    pipeline.config.restore_from_destination = False
    observe("extracting")
    try:
        pipeline.extract(source, loader_file_format="parquet")
        observe("extracted")
        pipeline.normalize()
        observe("normalized")
        pipeline.load(raise_on_failed_jobs=True)
    except Exception as error:
        raise _cause(error) from error
    observe("landed")


def _dlt_source(integration: str, items: Callable[[], Iterator[Any]]) -> Any:
    """Return the integration as a dlt source with one resource that feeds a table per stream."""
    import dlt

    resource = dlt.resource(items, name=f"{integration}_events", write_disposition="append")

    @dlt.source(name=integration)
    def source() -> Any:
        return resource

    return source()


def _cause(error: BaseException) -> BaseException:
    """Return the error that was raised by a driver or the disk, out of those that dlt wraps around it."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    told = [e for e in chain if isinstance(e, IntegrationError)]
    foreign = [e for e in chain if not type(e).__module__.startswith("dlt.")]
    return (told or foreign or chain)[0]


def _items(integration: str, events: Iterator[Event], shaping: Shaping) -> Iterator[Any]:
    """Yield Arrow tables marked with the table they belong to; numbers rows and events in order of arrival."""
    import dlt
    import pyarrow as pa

    sequence = 0
    pending: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, Rows):
            if event.stream in shaping.shapes and event.table.num_rows:
                table = _shaped(integration, event, shaping)
                numbers = pa.array(range(sequence, sequence + table.num_rows), pa.int64())
                yield dlt.mark.with_table_name(table.append_column(SEQUENCE, numbers), event.stream)
                sequence += table.num_rows
            continue
        row = _event_row(integration, event, shaping)
        if row is not None:
            pending.append({SEQUENCE: sequence, **row})
            sequence += 1
        if len(pending) >= _EVENTS_PER_BATCH:
            yield _events_table(pending)
            pending = []
    yield _events_table(pending or [{SEQUENCE: sequence, "kind": "end", "stream": "", "data": "{}"}])


def _events_table(rows: Sequence[Mapping[str, Any]]) -> Any:
    import dlt
    import pyarrow as pa

    columns = (Column(SEQUENCE, "integer", ""), *(Column(name, "string", "") for name in ("kind", "stream", "data")))
    schema = arrow_schema(columns)
    return dlt.mark.with_table_name(pa.Table.from_pylist(list(rows), schema=schema), EVENTS)


def _event_row(integration: str, event: Event, shaping: Shaping) -> dict[str, str] | None:
    """Return an event other than Rows as a row of :data:`EVENTS`; None when its stream is not selected."""
    if isinstance(event, Cursor):
        return {"kind": "cursor", "stream": "", "data": to_json(event.value)}
    if isinstance(event, Logged):
        return {"kind": "log", "stream": "", "data": to_json({"event_type": event.event_type, "data": event.data})}
    if not isinstance(event, Quarantined | Delete | FullScan | Listed | Failed):
        raise broken_contract(integration, f"{type(event).__name__} is no event")
    if event.stream not in shaping.shapes:
        return None
    if isinstance(event, Failed):
        return {"kind": "failed", "stream": event.stream, "data": to_json(Failure.of_event(event).as_json())}
    if isinstance(event, Listed):
        return {"kind": "listed", "stream": event.stream, "data": to_json({"because": event.because})}
    if isinstance(event, Quarantined):
        record = _WITHHELD if shaping.shapes[event.stream].masked else event.record
        data = {"key": event.key, "reason": event.reason, "record": record}
        return {"kind": "quarantined", "stream": event.stream, "data": to_json(data)}
    shape = shaping.shapes[event.stream]
    unknown = [name for name, value in event.where.items() if name not in shape.columns or value is None]
    if unknown or (isinstance(event, Delete) and not event.where):
        got = f"a {type(event).__name__} of {event.stream} names {unknown or 'no column'}"
        raise broken_contract(integration, got)
    where = {n: shaping.mask(str(v)) if n in shape.masked else v for n, v in event.where.items()}
    if isinstance(event, Delete):
        return {"kind": "delete", "stream": event.stream, "data": to_json(where)}
    return {"kind": "full_scan", "stream": event.stream, "data": to_json({"where": where, "because": event.because})}


def _shaped(integration: str, rows: Rows, shaping: Shaping) -> pa.Table:
    """Return the table with the declared columns only, in their types, personal ones hashed.

    Raises:
        BrokenContract: the driver left out a column, or a column is of another type.
    """
    import pyarrow as pa

    shape = shaping.shapes[rows.stream]
    missing = set(shape.columns) - set(rows.table.column_names)
    if missing:
        raise broken_contract(integration, f"rows of {rows.stream} lack the columns {sorted(missing)}")
    schema = arrow_schema(tuple(Column(name, kind, "") for name, kind in shape.columns.items()))
    try:
        table = rows.table.select(list(shape.columns)).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise broken_contract(integration, f"rows of {rows.stream} are not in its schema: {error}") from error
    for name in shape.masked:
        index = table.column_names.index(name)
        table = table.set_column(index, table.schema.field(index), _hashed(table.column(index), shaping.mask))
    return table


def _hashed(column: Any, mask: Callable[[str], str]) -> Any:
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    values = [None if value is None else mask(str(value)) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)
