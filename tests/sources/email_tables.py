"""Runs the e-mail driver directly and applies what it yields to tables in memory, as the engine promises to."""

from __future__ import annotations

import imaplib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.sources.driver import Sync
from leat.sources.email.imap import driver as imap
from leat.sources.email.streams import STREAMS
from leat.sources.events import Cursor, Delete, Event, FullScan, Logged, Quarantined, Rows

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KEYS = {stream.name: stream.key for stream in STREAMS}


@dataclass
class Tables:
    """Rows by stream and key, and the cursor, after any number of runs."""

    connection: imap.Connection
    folder: Path
    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(
        default_factory=lambda: {s.name: {} for s in STREAMS}
    )
    cursor: Any = None
    events: list[Event] = field(default_factory=list)
    streams: frozenset[str] = frozenset(KEYS)

    def sync(self) -> Sync:
        return Sync("email", self.streams, self.cursor, self.folder, self.folder / "cache", NOW)

    def run(self) -> list[Event]:
        """Extract once and apply it; a failure applies nothing."""
        self.events = list(imap.extract(self.connection, self.sync()))
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
        elif isinstance(event, Delete | FullScan):
            table = self.rows[event.stream]
            listed = scanned.get(event.stream, set()) if isinstance(event, FullScan) else set()
            for key in [k for k, row in table.items() if all(row[c] == v for c, v in event.where.items())]:
                if key not in listed:
                    del table[key]
        elif isinstance(event, Cursor):
            self.cursor = json.loads(json.dumps(event.value))

    def table(self, stream: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows of a stream that have these values, by key."""
        rows = [self.rows[stream][key] for key in sorted(self.rows[stream], key=repr)]
        return [row for row in rows if all(row[name] == value for name, value in values.items())]

    def one(self, stream: str, **values: Any) -> dict[str, Any]:
        """Return the only row of a stream that has these values."""
        (row,) = self.table(stream, **values)
        return row

    def subjects(self, mailbox: str = "INBOX") -> list[str]:
        return [row["subject"] for row in self.table("messages", mailbox=mailbox)]

    def quarantined(self) -> list[Quarantined]:
        return [event for event in self.events if isinstance(event, Quarantined)]

    def logged(self) -> list[str]:
        return [event.event_type for event in self.events if isinstance(event, Logged)]


@contextmanager
def signed_in(port: int, account: str, password: str) -> Iterator[imaplib.IMAP4]:
    """Give another client of the server, to change things by hand."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(account, password)
    try:
        yield client
    finally:
        client.logout()


def mail(subject: str, *lines: str, body: str = "Hello", number: str | None = None) -> bytes:
    """Return a message; further lines go into its header."""
    head = [
        "From: Ann <ann@x.example>",
        "To: bob@x.example",
        f"Subject: {subject}",
        "Date: Tue, 10 Mar 2026 10:00:00 +0100",
    ]
    head += (
        [] if any(line.startswith("Message-ID") for line in lines) else [f"Message-ID: <{number or subject}@x.example>"]
    )
    return "\r\n".join([*head, *lines, "", body, ""]).encode("utf-8", "surrogateescape")
