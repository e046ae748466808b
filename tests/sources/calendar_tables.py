"""Runs the calendar driver directly and applies what it yields to tables in memory, as the engine promises to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.sources.calendar.caldav import driver as caldav
from leat.sources.calendar.streams import STREAMS
from leat.sources.driver import Sync
from leat.sources.events import Cursor, Delete, Event, FullScan, Logged, Quarantined, Rows

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEYS = {stream.name: stream.key for stream in STREAMS}


@dataclass
class Tables:
    """Rows by stream and key, and the cursor, after any number of runs."""

    connection: caldav.Connection
    folder: Path
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(
        default_factory=lambda: {s.name: {} for s in STREAMS}
    )
    cursor: Any = None
    events: list[Event] = field(default_factory=list)

    def sync(self, now: datetime = NOW) -> Sync:
        return Sync("calendar", frozenset(KEYS), self.cursor, self.folder, self.folder, now)

    def run(self, now: datetime = NOW) -> list[Event]:
        """Extract once and apply it; a failure applies nothing."""
        self.events = list(caldav.extract(self.connection, self.sync(now)))
        scanned: dict[str, set[tuple[Any, ...]]] = {}
        for event in self.events:
            self._apply(event, scanned)
        return self.events

    def _apply(self, event: Event, scanned: dict[str, set[tuple[Any, ...]]]) -> None:
        if isinstance(event, Rows):
            for row in event.table.to_pylist():
                key = tuple(row[name] for name in KEYS[event.stream])
                assert None not in key
                scanned.setdefault(event.stream, set()).add(key)
                self.rows[event.stream][key] = row
        elif isinstance(event, Delete):
            table = self.rows[event.stream]
            for key in [k for k, row in table.items() if all(row[c] == v for c, v in event.where.items())]:
                del table[key]
        elif isinstance(event, FullScan):
            table = self.rows[event.stream]
            for key in table.keys() - scanned.get(event.stream, set()):
                del table[key]
        elif isinstance(event, Cursor):
            self.cursor = json.loads(json.dumps(event.value))

    def table(self, stream: str) -> list[dict[str, Any]]:
        return [self.rows[stream][key] for key in sorted(self.rows[stream])]

    def uids(self) -> set[str]:
        return {row["uid"] for row in self.table("events")}

    def quarantined(self) -> list[Quarantined]:
        return [event for event in self.events if isinstance(event, Quarantined)]

    def logged(self) -> list[Logged]:
        return [event for event in self.events if isinstance(event, Logged)]


def ics(*lines: str, zones: tuple[str, ...] = ()) -> bytes:
    """Return a calendar file with one event, or with components given whole."""
    if not lines[0].startswith("BEGIN:"):
        lines = ("BEGIN:VEVENT", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT")
    whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *zones, *lines, "END:VCALENDAR", "")
    return "\r\n".join(whole).encode()


def simple(uid: str, summary: str = "Meeting", hour: int = 10) -> bytes:
    return ics(
        f"UID:{uid}", f"DTSTART:20260312T{hour:02}0000Z", f"DTEND:20260312T{hour + 1:02}0000Z", f"SUMMARY:{summary}"
    )
