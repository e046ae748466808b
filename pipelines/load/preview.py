"""A preview of streams before they are loaded: a few rows, what would be quarantined; nothing is written anywhere.

A driver that can sample its streams does (:mod:`leat.sources.sample`). Of every other, the extraction is read from its
start until a few rows of the stream have come, and then ended.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.files import make_private
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.sources.driver import Sync, load_driver
from leat.sources.errors import IntegrationError
from leat.sources.events import Event, Failed, FullScan, Listed, Quarantined, Rows
from leat.sources.sample import Sample
from leat.sources.stream import Stream

ROWS = 5
"""So many rows of a stream are shown."""
MASKED = "(masked)"
"""What is shown for a value that a load would hash."""
ENCRYPTED = "(encrypted)"
"""What is shown for a value that a load would encrypt."""
_LONGEST = 200
"""So many characters of a text are shown."""
_EVENTS = 100_000
"""So many events of other streams are read past, in search of rows of one."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of one stream.

    Attributes:
        stream: its name.
        read: what was read, in words.
        columns: names of the columns.
        rows: the first rows, masked as a load would mask them.
        quarantined: the records that would be quarantined: how many, by reason, the most frequent first.
        good: how many rows were read.
        complete: why that was all; empty if it wasn't, or if nobody can say.
        more: whether there are more records.
        error: why the stream can't be read, with what to do next.
        proposed: what is to be declared where that is left open, as YAML.
        notes: what else is worth knowing.
    """

    stream: str
    read: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    quarantined: tuple[tuple[str, int], ...]
    good: int
    complete: str
    more: bool
    error: str | None
    proposed: str
    notes: tuple[str, ...]


def preview(
    project: Project,
    declaration: Declaration,
    streams: Sequence[str],
    progress: Callable[[str, int], None],
    permits: Callable[[str], bool] | None = None,
) -> Iterator[Preview]:
    """Yield a preview of each of some streams.

    Args:
        project: the project.
        declaration: the integration; endpoints of a REST API may lack columns.
        streams: names of streams.
        progress: called with what is being read, and how much was since the last call.
        permits: returns whether leat may connect to an IP address; None if it may connect to all.

    Raises:
        IntegrationError: the system can't be reached, or refuses all.
    """
    driver = load_driver(declaration.source, declaration.driver)
    with preview_folder(project) as folder:
        masked = {stream.name: declaration.hidden(stream) for stream in declaration.every_stream()}
        wanted, now = frozenset(streams), datetime.now(UTC)
        sync = Sync(declaration.name, wanted, None, project.folder, folder, now, progress, masked=masked,
                    permits=permits)  # fmt: skip
        given = driver.sample(declaration.connection, sync) if hasattr(driver, "sample") else None
        for sample in given or _samples(declaration, sync):
            yield _preview(declaration, sample)


@contextmanager
def preview_folder(project: Project) -> Iterator[Path]:
    """Give a private folder that is removed again, next to those of integrations, with which it shares rate budgets."""
    make_private(project.state / "sources")
    with tempfile.TemporaryDirectory(prefix=".preview-", dir=project.state / "sources") as folder:
        yield Path(folder)


def _samples(declaration: Declaration, sync: Sync) -> Iterator[Sample]:
    """Yield a sample of each stream, by reading the beginning of an extraction of it alone."""
    driver = load_driver(declaration.source, declaration.driver)
    for stream in declaration.every_stream():
        if stream.name in sync.streams:
            extraction = driver.extract(declaration.connection, replace(sync, streams=frozenset({stream.name})))
            with closing(extraction):
                yield _beginning(stream.name, extraction)


def _beginning(stream: str, events: Iterator[Event]) -> Sample:
    """Return a sample of a stream, read until a few of its rows have come."""
    tables: list[Any] = []
    bad: list[Quarantined] = []
    complete, error = "", None
    ended = True
    try:
        for number, event in enumerate(events):
            if getattr(event, "stream", None) == stream:
                if isinstance(event, Rows) and event.table.num_rows:
                    tables.append(event.table)
                elif isinstance(event, Quarantined):
                    bad.append(event)
                elif isinstance(event, FullScan | Listed):
                    complete = event.because
                elif isinstance(event, Failed):
                    error = event.error
            if sum(table.num_rows for table in tables) >= ROWS or number > _EVENTS:
                ended = False
                break
    except IntegrationError as failure:
        error = failure
    rows = sum(table.num_rows for table in tables)
    return Sample(
        stream,
        _counted(rows, all_of_it=ended and error is None),
        tuple(tables),
        tuple(bad),
        complete if ended else "",
        not ended,
        error,
    )


def _counted(rows: int, *, all_of_it: bool) -> str:
    if not rows:
        return "no rows"
    if rows == 1:
        return "the only row" if all_of_it else "one row"
    return f"all {rows:,} rows" if all_of_it else f"the first {rows:,} rows"


def _preview(declaration: Declaration, sample: Sample) -> Preview:
    stream = next((each for each in declaration.every_stream() if each.name == sample.stream), None)
    hidden = {} if stream is None else hidden_columns(declaration, stream)
    left_out = set(declaration.options(sample.stream).exclude)
    names = [name for name in (sample.tables[0].column_names if sample.tables else ()) if name not in left_out]
    rows: list[tuple[Any, ...]] = []
    for table in sample.tables:
        for row in table.slice(0, ROWS - len(rows)).select(names).to_pylist():
            rows.append(tuple(hidden[n] if n in hidden and v is not None else _short(v) for n, v in row.items()))
    counted = Counter(record.reason for record in sample.bad)
    return Preview(
        stream=sample.stream,
        read=sample.read,
        columns=tuple(names),
        rows=tuple(rows),
        quarantined=tuple(counted.most_common()),
        good=sum(table.num_rows for table in sample.tables),
        complete=sample.complete,
        more=sample.more,
        error=None if sample.error is None else str(sample.error),
        proposed=sample.proposed,
        notes=sample.notes,
    )


def hidden_columns(declaration: Declaration, stream: Stream) -> dict[str, str]:
    """Return what is shown for the values of each hidden column of a stream."""
    encrypted = declaration.encrypted(stream)
    return {name: ENCRYPTED if name in encrypted else MASKED for name in declaration.hidden(stream)}


def _short(value: Any) -> Any:
    return f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value
