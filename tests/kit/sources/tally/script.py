"""Yield the events of a script: a JSON-lines file, from the line that the cursor names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from leat.sources.batch import Batch, to_json
from leat.sources.driver import ConnectionModel, SetupTest, Sync, load_streams
from leat.sources.errors import Rejected, Unavailable
from leat.sources.events import Cursor, Delete, Event, Failed, FullScan, Listed, Logged, Quarantined
from leat.sources.http.calls import ApiCall
from leat.sources.stream import Stream


class Connection(ConnectionModel):
    script: str


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    yield SetupTest("reachable", Path(connection.script).exists(), connection.script)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    yield from follow(connection, sync, load_streams("tally"))


def since_streams(_connection: Connection) -> frozenset[str]:
    return frozenset({"fed", "scanned"})


def follow(
    connection: Connection,
    sync: Sync,
    declared: tuple[Stream, ...],
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Iterator[Event]:
    """Yield the events of the script for these streams; lines that were read before are skipped."""
    lines = Path(connection.script).read_text(encoding="utf-8").splitlines()
    start = sync.cursor["line"] if sync.cursor else 0
    streams = {stream.name: stream for stream in declared}
    for number, line in enumerate(lines[start:], start + 1):
        for step in json.loads(line):
            if step["do"] == "abort":
                os.abort()
            if number == len(lines) or not step.get("latest"):  # a listing gives what there is, not what there was
                yield from _events(step, streams, sync, convert or typed)
    if len(lines) > start or sync.cursor is None:
        yield Cursor({"line": len(lines)})


def _events(
    step: dict[str, Any], streams: dict[str, Any], sync: Sync, convert: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[Event]:
    kind = step["do"]
    if kind == "rows":
        stream = streams[step["stream"]]
        batch = Batch(stream)
        since = sync.since
        for row in (r for r in step["rows"] if since is None or datetime.fromisoformat(r["seen_at"]) >= since):
            try:
                yield from batch.add(convert(row))
            except ValueError as error:
                shown = " ".join(str(row.get(name)) for name in stream.key)
                yield Quarantined(stream.name, shown, str(error), to_json(row))
        yield from batch.flush()
        sync.progress(step["stream"], len(step["rows"]))
    elif kind == "delete":
        yield Delete(step["stream"], step["where"])
    elif kind == "full_scan":
        yield FullScan(step["stream"], step.get("where", {}), step.get("because", ""))
    elif kind == "listed":
        yield Listed(step["stream"], step["because"])
    elif kind == "failed":
        error = Rejected(sync.integration, "reading the script", "no", "take the step out")
        yield Failed(step["stream"], error, step.get("where", {}))
    elif kind == "quarantine":
        yield Quarantined(step["stream"], step["key"], step["reason"], step["record"])
    elif kind == "log":
        yield Logged(step["event_type"], step["data"])
    elif kind == "calls":
        for _ in range(step["count"]):
            sync.called(ApiCall(sync.now, "tally.example", "GET", step["path"], 200, 1, 1.5, 100))
    elif kind == "fail":
        kind = Unavailable if step["transient"] else Rejected
        raise kind(sync.integration, "reading the script", "told to fail", "take the step out")


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its times out of their JSON text."""
    convert: dict[str, Any] = {
        "seen_at": datetime.fromisoformat,
        "wall_clock": datetime.fromisoformat,
        "on_day": date.fromisoformat,
    }
    return {n: convert[n](v) if n in convert and v is not None else v for n, v in row.items()}
