"""Loads without a driver and without the engine around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.apply import apply_load
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.landing import Landed, land, next_load_id
from leat.pipelines.load.plan import SYNC, LoadPlan, declared_tables
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.state import State, read_state
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

    def load(self, *events: Event, plan: LoadPlan | None = None) -> dict[str, StreamResult] | None:
        """Land the events and apply them; returns results by stream, None when the load changed nothing at all."""
        self.at += timedelta(minutes=1)
        landed = Landed(next_load_id(self.at, ""), self.folder / f"{len(self.landed)}")
        write(landed, self.declaration, events)
        self.landed.append(landed)
        return self.apply(landed, plan)

    def apply(self, landed: Landed, plan: LoadPlan | None = None) -> dict[str, StreamResult] | None:
        """Apply a landed load."""
        tables, current = declared_tables(self.declaration), self.state()
        given = plan or LoadPlan(self.declaration, tables, SYNC, frozenset(tables))
        given = replace(given, declaration=self.declaration, tables=tables, start=current)
        results = apply_load(self.session, given, landed, current, self.at)
        return None if results is None else {result.stream: result for result in results}

    def state(self) -> State:
        """Return the state of the integration."""
        return read_state(self.session, self.declaration.name)

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.session.execute(sql)


def write(landed: Landed, declaration: Declaration, events: Iterable[Event]) -> None:
    """Write events into a landing."""
    landed.folder.mkdir(parents=True)
    conversion = Conversion(declared_tables(declaration), b"key")
    land(landed, declaration.name, iter(events), conversion, lambda _phase: None)


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


def planned(kind: str, streams: frozenset[str], **options: Any) -> LoadPlan:
    """Return the plan of a load of some streams, whatever its declaration."""
    return LoadPlan(declaration(), {}, kind, streams, **options)
