"""Landing: what a driver yields is written into a folder that belongs to this one load of this one integration.

::

    landing/<integration>/<load id>/work/             dlt's working folder
    landing/<integration>/<load id>/data/s_.../       parquet files of a stream, in row groups of a bounded size
    landing/<integration>/<load id>/data/leat_events/ deletes, scans, quarantine, log, cursor: what is not a row
    landing/<integration>/<load id>/data/_dlt_loads/  the marker: the load is complete

dlt writes it, unless it is small: then importing dlt would take longer than everything else, and leat writes the same
files itself. A load without the marker never happened: it is removed, not resumed. The cursor is a landed event like
the others and is applied with the rows, so a landing may be removed at any time and the next extraction brings the same
again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.files import make_private
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.dlt_settings import configured_dlt
from leat.pipelines.load.event_log import EVENTS, SEQUENCE, Piece, items, landed_stream
from leat.pipelines.load.stream_failures import Failure
from leat.sources.errors import IntegrationError, Permanent
from leat.sources.events import Event

SMALL = 4 * 2**20
"""leat writes a load of at most so many bytes itself, as Arrow counts them."""
_DATA = "data"
_MARKER = "_dlt_loads"
_FORMAT = 4
LOAD_ID = "%Y%m%dT%H%M%S%f"

Observer = Callable[[str], None]


class IncompleteLanding(Permanent):
    """What lies in a landing is not what was written to it."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A complete landed load.

    Attributes:
        load_id: its id; ids of one integration sort in the order of their extraction.
        folder: where it lies.
    """

    load_id: str
    folder: Path

    def files(self, stream: str) -> list[Path]:
        """Return a stream's parquet files; :func:`leat.pipelines.load.event_log.landed_column` names their columns."""
        return self._files(landed_stream(stream))

    def _files(self, table: str) -> list[Path]:
        return sorted((self.folder / "data" / _DATA / table).glob("*.parquet"))

    def check_rows(self, integration: str, rows: Mapping[str, int]) -> None:
        """Check that the files of each stream have as many rows as were written.

        Raises:
            IncompleteLanding: they don't.
        """
        from pyarrow import parquet

        for stream, wanted in rows.items():
            rows_there = sum(parquet.read_metadata(file).num_rows for file in self.files(stream))
            if rows_there != wanted:
                raise IncompleteLanding(
                    integration,
                    f"reading what was landed of {stream}",
                    f"{rows_there} of {wanted} rows",
                    "run it again: nothing of the load was applied, and the same is extracted once more; report this",
                )

    def events(self) -> Iterator[tuple[int, str, str, Any]]:
        """Yield (sequence number, kind, stream, data) of everything that is not a row, in order of arrival."""
        from pyarrow import parquet

        for file in self._files(EVENTS):
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
        """Make the folder and write into it how the load is to be applied."""
        make_private(self.folder.parent)
        self.folder.mkdir(mode=0o700)
        (self.folder / "plan.json").write_text(json.dumps({**plan, "format": _FORMAT}), encoding="utf-8")

    def read_plan(self) -> dict[str, Any] | None:
        """Return what :meth:`write_plan` wrote; None when it can't be read, or another version of leat wrote it."""
        try:
            plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(plan, dict) and plan.keys() >= {"kind", "streams", "after"} and plan.get("format") == _FORMAT
        return plan if whole else None

    def remove(self) -> None:
        """Remove the load; safe to be killed at any point, for what has no plan is not applied."""
        with contextlib.suppress(OSError):
            (self.folder / "plan.json").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def landing_folder(state: Path, integration: str, *, dry: bool) -> Path:
    """Return the folder of an integration's loads; those of a dry run are in one that no other run looks at."""
    return state / "landing" / (f"{integration}.dry" if dry else integration)


def next_load_id(now: datetime, after: str) -> str:
    """Return an id for a load that sorts behind ``after``, even when the clock went backwards."""
    if after:
        now = max(now, datetime.strptime(after, LOAD_ID).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return f"{now.astimezone(UTC):{LOAD_ID}}"


def landed_loads(folder: Path) -> list[Landed]:
    """Return the complete loads in an integration's landing folder, oldest first; removes incomplete ones."""
    loads = []
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        if any((path / "data" / _DATA / _MARKER).glob("*")):
            loads.append(Landed(path.name, path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return loads


def land(landed: Landed, integration: str, events: Iterator[Event], conversion: Conversion, observe: Observer) -> None:
    """Write a driver's events to a landing and mark it complete.

    Args:
        landed: where to; its folder has been made by :meth:`Landed.write_plan`.
        integration: name of the declaration.
        events: what the driver yields; read in a stream, memory holds a batch.
        conversion: the selected streams; events of others are dropped.
        observe: called with ``extracting``, ``extracted``, ``normalized`` and ``landed``.

    Raises:
        IntegrationError: as the driver raised it; BrokenContract when it yielded something else than it promises.
        OSError: the landing can't be written.
    """
    observe("extracting")
    pieces = items(integration, events, conversion)
    first: deque[Piece] = deque()
    size = 0
    for piece in pieces:
        first.append(piece)
        size += piece[1].nbytes
        if size > SMALL:
            _land_by_dlt(landed, integration, _all_of(first, pieces), observe)
            break
    else:
        _write(landed, first, observe)
    observe("landed")


def _all_of(first: deque[Piece], rest: Iterator[Piece]) -> Iterator[Piece]:
    while first:
        yield first.popleft()
    yield from rest


def _write(landed: Landed, pieces: Iterable[Piece], observe: Observer) -> None:
    """Write a small load: one file of each table, and then the marker."""
    import pyarrow as pa
    from pyarrow import parquet

    observe("extracted")
    tables: dict[str, list[pa.Table]] = {}
    for name, table in pieces:
        tables.setdefault(name, []).append(table)
    folder = landed.folder / "data" / _DATA
    for name, parts in tables.items():
        (folder / name).mkdir(parents=True)
        with (folder / name / "0.parquet").open("wb") as file:
            parquet.write_table(pa.concat_tables(parts), file)
    observe("normalized")
    (folder / _MARKER).mkdir()
    (folder / _MARKER / "leat").touch()


def _land_by_dlt(landed: Landed, integration: str, pieces: Iterator[Piece], observe: Observer) -> None:
    dlt = configured_dlt()
    pipeline = dlt.pipeline(
        integration,
        pipelines_dir=str(landed.folder / "work"),
        destination=dlt.destinations.filesystem(str(landed.folder / "data")),
        dataset_name=_DATA,
    )
    pipeline.config.restore_from_destination = False
    cause: BaseException | None = None
    try:
        pipeline.extract(_dlt_source(integration, pieces), loader_file_format="parquet")
        observe("extracted")
        pipeline.normalize()
        observe("normalized")
        pipeline.load(raise_on_failed_jobs=True)
    except Exception as error:
        cause = _cause(error)
    if cause is not None:  # out here, so that it goes on with what brought it about, and not with dlt's wrapping
        raise cause


def _dlt_source(integration: str, pieces: Iterator[Piece]) -> Any:
    """Return the integration as a dlt source with one resource that feeds a table per stream."""
    import dlt

    def marked() -> Iterator[Any]:
        for name, table in pieces:
            yield dlt.mark.with_table_name(table, name)

    resource = dlt.resource(marked, name=f"{integration}_events", write_disposition="append")

    @dlt.source(name=integration)
    def source() -> Any:
        return resource

    return source()


def _cause(error: BaseException) -> BaseException:
    """Return the error that was raised by a driver or the disk, out of those that dlt wraps around it."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    own = [e for e in chain if isinstance(e, IntegrationError)]
    foreign = [e for e in chain if not type(e).__module__.startswith("dlt.")]
    return (own or foreign or chain)[0]
