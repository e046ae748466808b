"""Reading one endpoint: is anything new, and if so, its rows and the proof that they are all there are.

A list is compared as a whole, by the digest of its records, with the last time; it waits meanwhile, so that one
that hasn't changed yields nothing. An endpoint that can be asked for what is new is asked from the newest record on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sources.driver import Sync
from sources.errors import IntegrationError, Unavailable, UnexpectedShape
from sources.events import Event, FullScan, Logged
from sources.rest_api.convert import Converter
from sources.rest_api.declared import Endpoint
from sources.rest_api.follow import memory_of
from sources.rest_api.paging import Listing, Miscounted
from sources.rest_api.paging_styles import OnePage
from sources.rest_api.requests import first_request
from sources.rest_api.since import Seen, is_again
from sources.rest_api.spool import Spool
from sources.web.client import Client
from sources.web.validators import if_changed

GROUP = 16 * 2**20
"""Bytes of JSON that are made into tables at a time; memory is bounded by it."""
LISTINGS = 3
"""How often a list is read while it changes."""

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading an endpoint needs: the connection, a folder for pages, and the extraction."""

    client: Client
    folder: Path
    sync: Sync


def read_list(reading: Reading, converter: Converter, before: Mapping[str, Any]) -> Iterator[Event | State]:
    """Yield what is new in a list that has no parent, and as the last item its state for the cursor."""
    endpoint, incremental = converter.endpoint, converter.endpoint.incremental
    whole = incremental is None or _is_due(endpoint, before, reading.sync.now)
    converter.replace = not whole
    ask = first_request(endpoint, {}, None if whole else before.get("since"))
    if incremental is not None:
        converter.seen = Seen(endpoint, incremental)
    elif not converter.kept:
        ask = if_changed(ask, before.get("etag"))
    listing = Listing(reading.client, endpoint, ask, memory_of(before))
    news = _whole(reading, converter, listing, before) if whole else _since(reading, converter, listing, before)
    after: State | None = None
    converter.complete = False
    for event in news:
        if isinstance(event, dict):
            after = event
        else:
            yield event
    converter.complete = whole and not listing.skipped and not converter.bad
    if after is None:
        yield {**before, "scanned_at": reading.sync.now.isoformat()} if incremental and whole else dict(before)
        return
    if incremental is not None:
        after["scanned_at"] = reading.sync.now.isoformat() if whole else before.get("scanned_at")
    yield from _proofs(converter, listing, whole)
    yield {**after, "pages": listing.memory.state()}


def _proofs(converter: Converter, listing: Listing, whole: bool) -> Iterator[Event]:
    """Yield that a list was read to its end, and where nothing hides a row, that it is all there is."""
    because = listing.because
    if listing.skipped:
        return
    if converter.wanted:
        scans = whole and converter.endpoint.deletes == "full_scan" and not converter.bad
        if scans:
            yield FullScan(converter.name, because=because)
    for name, nested in converter.nested.items():
        scans = whole and nested.deletes == "full_scan" and name not in converter.bad_nested and not converter.bad
        if scans:
            yield FullScan(name, because=because)


def _is_due(endpoint: Endpoint, before: Mapping[str, Any], now: datetime) -> bool:
    """Return whether everything is to be listed although the API can tell what is new: for what is gone."""
    if before.get("since") is None or endpoint.incremental is None:
        return True
    if endpoint.deletes != "full_scan":
        return False
    scanned = before.get("scanned_at")
    return scanned is None or now - datetime.fromisoformat(scanned) >= endpoint.incremental.full_scan_every


def _whole(
    reading: Reading, converter: Converter, listing: Listing, before: Mapping[str, Any]
) -> Iterator[Event | State]:
    """Yield all rows of a list and its state; nothing when it is the same as before."""
    known = before.get("digest")
    spool = Spool(reading.folder)
    again = yield from _listed(reading, converter, listing, spool, known is None)
    if listing.unchanged or listing.skipped:
        return
    changed = known is None or spool.digest != known
    for event in _grouped(converter, spool) if changed or converter.kept else ():
        if changed:
            yield event
    if not changed:
        spool.remove()
        return
    state = {} if converter.seen is None else converter.seen.state({})
    if again:  # rows of a listing before may be gone by now: the next run looks at all of them again
        yield {**state, "refused": converter.refused}
        return
    last = listing.last
    etag = last.headers.get("ETag") if last and isinstance(converter.endpoint.paging, OnePage) else None
    etags = {"etag": etag} if etag else {}
    yield {**state, "digest": spool.digest, "refused": converter.refused, **etags}


def _listed(
    reading: Reading, converter: Converter, listing: Listing, spool: Spool, at_once: bool
) -> Generator[Event, None, int]:
    """Read a list into a spool, again while it changes, and return how often that was; yields rows where it is large.

    Raises:
        IntegrationError: it can't be read, or doesn't have as many records as it says.
    """
    wrong: list[str] = []
    for again in range(LISTINGS):
        spool.restart()
        converter.rows = converter.bad = 0
        try:
            for page in listing.start():
                spool.add(page)
                reading.sync.progress(converter.name, 0)
                if at_once and spool.size >= GROUP:
                    yield from converter.events(spool.take())
        except Miscounted as error:
            wrong.append(str(error))
            if not again:
                yield Logged("listing_changed", {"endpoint": converter.name})
        else:
            return again
    raise miscounted(reading, converter.name, wrong)


def miscounted(reading: Reading, name: str, wrong: list[str]) -> IntegrationError:
    """Return the error for a list whose count is wrong each time: transient where it changes, else permanent."""
    got = f"{wrong[-1]}, {len(wrong)} times"
    if len(set(wrong)) > 1:
        advice = "try later; the list changes while it is read"
        return Unavailable(reading.sync.integration, f"listing {name}", got, advice)
    advice = "correct paging.total: it counts something else, or the account may not read all records"
    return UnexpectedShape(reading.sync.integration, f"listing {name}", got, advice)


def _grouped(converter: Converter, spool: Spool) -> Iterator[Event]:
    """Yield the events of the pages that wait, some at a time."""
    group, size = [], 0
    for page in spool.take():
        group.append(page)
        size += page.size
        if size >= GROUP:
            yield from converter.events(group)
            group, size = [], 0
    yield from converter.events(group)


def _since(
    reading: Reading, converter: Converter, listing: Listing, before: Mapping[str, Any]
) -> Iterator[Event | State]:
    """Yield the rows since the last time and the new state; nothing when they are those that were read then."""
    spool = Spool(reading.folder)
    yield from _listed(reading, converter, listing, spool, True)
    fresh = bool(converter.rows or converter.bad)
    if not fresh and is_again(before, (page.read() for page in spool.pages), spool.size):
        spool.remove()
        return
    held = list(converter.events(spool.take()))
    state = {} if converter.seen is None else converter.seen.state(before)
    state["digest"] = before.get("digest")
    state["refused"] = converter.refused or before.get("refused", "")
    if any(state.get(name) != before.get(name, "") for name in ("since", "seen", "refused")):
        yield from held
        yield state
