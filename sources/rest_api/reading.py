"""Reading one endpoint: is anything new, and if so, its rows and the proof that they are all there are.

A list is compared as a whole, by the digest of its records, with the last time; it waits on disk meanwhile, so that one
that hasn't changed yields nothing. An endpoint that can be asked for what is new is asked from the newest record on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.driver import Sync
from sources.errors import Unavailable
from sources.events import Event, FullScan, Logged
from sources.rest_api.convert import Converter
from sources.rest_api.declared import Endpoint
from sources.rest_api.envelope import value_at
from sources.rest_api.paging import read_pages
from sources.rest_api.paging_styles import Offset, OnePage, Pages
from sources.rest_api.requests import first_request
from sources.rest_api.since import Seen, is_again
from sources.rest_api.spool import Spool, Spooled
from sources.web.ask import Ask
from sources.web.client import Client
from sources.web.validators import if_changed

if TYPE_CHECKING:
    import duckdb

GROUP = 16 * 2**20
"""Bytes of JSON that are made into tables at a time; memory is bounded by it."""
_LISTINGS = 3

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading an endpoint needs: the connection, what opens DuckDB, a folder for pages, and the extraction."""

    client: Client
    con: Callable[[], duckdb.DuckDBPyConnection]
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
        known = before.get("digest")
        news = _whole(reading, converter, ask, known) if whole else _since(reading, converter, ask, before)
    else:
        ask = ask if converter.kept else if_changed(ask, before.get("etag"))
        news = _whole(reading, converter, ask, before.get("digest"))
    after: State | None = None
    for event in news:
        if isinstance(event, dict):
            after = event
        else:
            yield event
    if after is None:
        yield {**before, "scanned_at": reading.sync.now.isoformat()} if incremental and whole else dict(before)
        return
    if incremental is not None:
        after["scanned_at"] = reading.sync.now.isoformat() if whole else before.get("scanned_at")
    if whole:
        yield from _proofs(converter)
    yield after


def _proofs(converter: Converter) -> Iterator[Event]:
    """Yield that a whole list was read; not where a record that couldn't be read may hide a row."""
    if converter.wanted and converter.endpoint.deletes == "full_scan" and not converter.bad:
        yield FullScan(converter.name)
    for name, nested in converter.nested.items():
        if nested.deletes == "full_scan" and name not in converter.bad_nested and not converter.bad:
            yield FullScan(name)


def _is_due(endpoint: Endpoint, before: Mapping[str, Any], now: datetime) -> bool:
    """Return whether everything is to be listed although the API can tell what is new: for what is gone."""
    if before.get("since") is None or endpoint.incremental is None:
        return True
    if endpoint.deletes != "full_scan":
        return False
    scanned = before.get("scanned_at")
    return scanned is None or now - datetime.fromisoformat(scanned) >= endpoint.incremental.full_scan_every


def _whole(reading: Reading, converter: Converter, ask: Ask, known: str | None) -> Iterator[Event | State]:
    """Yield all rows of a list and its state; nothing when it is the same as before. Lists again while it changes."""
    endpoint = converter.endpoint
    spool = Spool(reading.folder)
    for listing in range(_LISTINGS):
        spool.restart()
        converter.rows = converter.bad = 0
        totals: set[Any] = set()
        etag = None
        for page in read_pages(reading.client, endpoint, ask):
            etag = page.headers.get("ETag") if isinstance(endpoint.paging, OnePage) else None
            totals.add(_total(endpoint, page.rest))
            spool.add(page)
            reading.sync.progress(converter.name, 0)
            if known is None and spool.size >= GROUP:
                yield from converter.events(spool.take(), {})
        changed = bool(totals) and (known is None or spool.digest != known)
        for event in _grouped(converter, spool) if changed or converter.kept else ():
            if changed:
                yield event
        if not changed:
            spool.remove()
            return
        if totals <= {None} or totals == {converter.rows + converter.bad}:
            state = {} if converter.seen is None else converter.seen.state({})
            if listing:  # rows of a listing before may be gone by now: the next run looks at all of them again
                yield {**state, "refused": converter.refused}
            else:
                etags = {"etag": etag} if etag else {}
                yield {**state, "digest": spool.digest, "refused": converter.refused, **etags}
            return
        if listing == 0:
            yield Logged("listing_changed", {"endpoint": converter.name})
    got = f"{converter.rows + converter.bad} records where it says {', '.join(map(str, totals))}, {_LISTINGS} times"
    asked = f"listing {converter.name}"
    raise Unavailable(reading.sync.integration, asked, got, "try later; the list changes while it is read")


def _grouped(converter: Converter, spool: Spool) -> Iterator[Event]:
    """Yield the events of the pages that wait, some at a time."""
    group, size = [], 0
    for page in spool.take():
        group.append(page)
        size += page.size
        if size >= GROUP:
            yield from converter.events(group, {})
            group, size = [], 0
    yield from converter.events(group, {})


def _since(reading: Reading, converter: Converter, ask: Ask, before: Mapping[str, Any]) -> Iterator[Event | State]:
    """Yield the rows since the last time and the new state; nothing when they are those that were read then."""
    spool = Spool(reading.folder)
    held: list[Event] = []
    for page in read_pages(reading.client, converter.endpoint, ask):
        spool.add(page)
        reading.sync.progress(converter.name, 0)
        if spool.size >= GROUP:
            yield from held
            held = []
            yield from converter.events(spool.take(), {})
    fresh = bool(held or converter.rows or converter.bad)
    if not fresh and is_again(before, map(_bytes, spool.pages), spool.size):
        spool.remove()
        return
    held += converter.events(spool.take(), {})
    state = {} if converter.seen is None else converter.seen.state(before)
    state["digest"] = before.get("digest")
    state["refused"] = converter.refused or before.get("refused", "")
    if any(state.get(name) != before.get(name, "") for name in ("since", "seen", "refused")):
        yield from held
        yield state


def _bytes(page: Spooled) -> bytes:
    return page.file.read_bytes()


def _total(endpoint: Endpoint, rest: Any) -> Any:
    paging = endpoint.paging
    if isinstance(paging, Pages | Offset) and paging.total:
        return value_at(rest, tuple(paging.total.split(".")))
    return None
