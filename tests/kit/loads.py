"""Loads without dlt: the same events in the same files, in a hundredth of the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.apply import SYNC, Plan, apply_load
from leat.pipelines.load.event_log import items
from leat.pipelines.load.landing import Landed, next_load_id
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.shaping import Shaping
from leat.pipelines.load.table_schema import declared_schema
from leat.sources.driver import ConnectionModel
from leat.sources.events import Event
from leat.warehouse.session import Session

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Loads:
    """Lands and applies loads of a source in an open session, a minute apart.

    Attributes:
        session: where they are applied.
        folder: where they are landed.
        declaration: of the integration.
    """

    session: Session
    folder: Path
    declaration: Declaration
    at: datetime = field(default=START)
    landed: list[Landed] = field(default_factory=list)

    def load(self, *events: Event, plan: Plan | None = None) -> dict[str, StreamResult] | None:
        """Land the events and apply them; returns results by stream, None when the load changed nothing at all."""
        self.at += timedelta(minutes=1)
        landed = Landed(next_load_id(self.at, ""), self.folder / f"{len(self.landed)}")
        write(landed, self.declaration, events)
        self.landed.append(landed)
        return self.apply(landed, plan)

    def apply(self, landed: Landed, plan: Plan | None = None) -> dict[str, StreamResult] | None:
        """Apply a landed load."""
        every = frozenset(stream.name for stream in self.declaration.selected())
        results = apply_load(self.session, self.declaration, landed, plan or Plan(SYNC, every), self.at)
        return None if results is None else {result.stream: result for result in results}

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.session.execute(sql)


def write(landed: Landed, declaration: Declaration, events: Iterable[Event]) -> None:
    """Write events into a landing as dlt would."""
    import pyarrow as pa
    from pyarrow import parquet

    shapes = {stream.name: declared_schema(declaration, stream) for stream in declaration.selected()}
    tables: dict[str, list[pa.Table]] = defaultdict(list)
    for item in items(declaration.name, iter(events), Shaping(shapes, b"key")):
        tables[item.meta.table_name].append(item.data)
    for name, parts in tables.items():
        folder = landed.folder / "data" / "data" / name
        folder.mkdir(parents=True)
        parquet.write_table(pa.concat_tables(parts), folder / "0.parquet")


def declaration(streams: dict[str, Any] | None = None, source: str = "tally") -> Declaration:
    """Return a declaration of ``tally``, or another source, that was not read from a file."""
    return Declaration.model_validate(
        {
            "source": source,
            "driver": "script",
            "connection": ConnectionModel(),
            "streams": streams or {},
            "name": source,
            "path": Path(f"pipelines/{source}.yaml"),
        }
    )
