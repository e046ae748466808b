"""Runs any driver directly and applies what it yields to tables in memory, as the engine promises to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.sources.driver import Driver, Sync, load_driver, load_streams
from leat.sources.errors import IntegrationError
from leat.sources.events import Cursor, Delete, Event, Failed, FullScan, Logged, Quarantined, Rows

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
Key = tuple[Any, ...]


@dataclass
class Tables:
    """Rows by stream and key, and the cursor, after any number of runs.

    Attributes:
        source: name of the source.
        driver: name of the driver.
        connection: the ``connection:`` of a declaration.
        folder: the project's folder, and that of the driver's cache.
    """

    source: str
    driver: str
    connection: dict[str, Any]
    folder: Path
    cursor: Any = None
    events: list[Event] = field(default_factory=list)
    rows: dict[str, dict[Key, dict[str, Any]]] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = {stream.name: stream.key for stream in load_streams(self.source)}
        self.rows = {name: {} for name in self.keys}

    def sync(self, now: datetime = NOW) -> Sync:
        return Sync(self.source, frozenset(self.keys), self.cursor, self.folder, self.folder, now)

    def run(self, now: datetime = NOW) -> list[Event]:
        """Extract once and apply it; a failure applies nothing."""
        driver: Driver = load_driver(self.source, self.driver)
        return self.take(driver.extract(driver.Connection(**self.connection), self.sync(now)))

    def take(self, events: Iterable[Event]) -> list[Event]:
        """Apply what an extraction yields; a failure applies nothing."""
        self.events = list(events)
        scanned: dict[str, set[Key]] = {}
        failed = self.failed()
        for event in self.events:
            if getattr(event, "stream", None) not in failed:
                self._apply(event, scanned)
        return self.events

    def _apply(self, event: Event, scanned: dict[str, set[Key]]) -> None:
        if isinstance(event, Rows):
            for row in event.table.to_pylist():
                key = tuple(row[name] for name in self.keys[event.stream])
                assert None not in key
                scanned.setdefault(event.stream, set()).add(key)
                self.rows[event.stream][key] = row
        elif isinstance(event, Delete | FullScan):
            listed = scanned.get(event.stream, set()) if isinstance(event, FullScan) else set()
            table = self.rows[event.stream]
            for key in [key for key, row in table.items() if all(row[c] == v for c, v in event.where.items())]:
                if key not in listed:
                    del table[key]
        elif isinstance(event, Cursor):
            self.cursor = json.loads(json.dumps(event.value))

    def table(self, stream: str) -> list[dict[str, Any]]:
        return [self.rows[stream][key] for key in sorted(self.rows[stream])]

    def column(self, stream: str, name: str) -> list[Any]:
        """Return one column in the order of the key."""
        return [row[name] for row in self.table(stream)]

    def quarantined(self) -> list[Quarantined]:
        return [event for event in self.events if isinstance(event, Quarantined)]

    def failures(self) -> dict[str, IntegrationError]:
        """Return why streams failed as a whole."""
        return {event.stream: event.error for event in self.events if isinstance(event, Failed) and not event.where}

    def failed(self) -> set[str]:
        """Return the streams that failed as a whole: nothing of them is applied."""
        return {event.stream for event in self.events if isinstance(event, Failed) and not event.where}

    def logged(self) -> list[Logged]:
        return [event for event in self.events if isinstance(event, Logged)]
