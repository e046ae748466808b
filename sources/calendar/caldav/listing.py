"""The calendars themselves and their shares to rows, where they are not as the cursor says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from leat.sources.batch import to_json
from leat.sources.calendar.caldav.client import Client
from leat.sources.calendar.caldav.discovery import Calendar
from leat.sources.calendar.caldav.shares import shares_of
from leat.sources.calendar.streams import STREAMS
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, Unauthenticated
from leat.sources.events import Delete, Event, Failed, FullScan, Quarantined
from leat.sources.multi_batch import Replacement


def listing_rows(
    client: Client, calendars: list[Calendar], earlier: Mapping[str, Any], state: dict[str, Any], sync: Sync
) -> Iterator[Event]:
    """Yield the calendars and their shares where they are not as the cursor says; puts their digests into the state.

    Where the server fails on a calendar nothing is claimed to be gone.
    """
    out = Replacement(sync, STREAMS)
    listed = [calendar for calendar in calendars if calendar.failure is None]
    rows = [calendar.row for calendar in listed]
    state["listing"] = _digest(rows) if len(listed) == len(calendars) else None
    if earlier.get("listing") != state["listing"] or state["listing"] is None:
        for row in rows:
            yield from out.add("calendars", row)
        yield from out.flush()
        if "calendars" in sync.streams and state["listing"] is not None:
            yield FullScan(
                "calendars", because="every listing names the folder that was asked for, and isn't cut short"
            )
    before = earlier.get("shares") or {}
    try:
        shares = shares_of(client, listed) if "shares" in sync.streams else {}
    except Unauthenticated:
        raise
    except IntegrationError as error:
        state["shares"] = before
        yield Failed("shares", error)
        return
    unlisted = {calendar.path for calendar in calendars} - shares.keys()
    state["shares"] = {path: _digest(shared) for path, shared in shares.items()}
    state["shares"] |= {path: before[path] for path in unlisted if path in before}
    for path in sorted(before.keys() - state["shares"].keys()):
        yield Delete("shares", {"calendar": path})
    for path, shared in shares.items():
        if before.get(path) != state["shares"][path]:
            yield Delete("shares", {"calendar": path})
            yield from _share_rows(out, path, shared)
    yield from out.flush()


def _share_rows(out: Replacement, path: str, rows: list[dict[str, Any]]) -> Iterator[Event]:
    """Yield the shares of a calendar; one whose values don't fit their columns is quarantined."""
    for row in rows:
        try:
            yield from out.add("shares", row)
        except ValueError as error:
            yield Quarantined("shares", path, str(error), to_json(row))


def _digest(value: Any) -> str:
    return sha256(to_json(value).encode()).hexdigest()[:16]
