"""Reading one endpoint: is anything new, and if so, its rows and the proof that they are all there are.

A list is compared as a whole, by the digest of its records, with the last time; it waits meanwhile, so that one
that hasn't changed yields nothing. An endpoint that can be asked for what is new is asked from the newest record on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from leat.sources.events import Event, FullScan, Listed, Logged
from leat.sources.http.validators import if_changed
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import OnePage
from leat.sources.rest_api.pages.delta import Removed, token_state
from leat.sources.rest_api.pages.ends import Memory
from leat.sources.rest_api.pages.requests import clock, first_request
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.listed import Reading, State, grouped, read_into_spool
from leat.sources.rest_api.reading.lists import Lists
from leat.sources.rest_api.reading.spool import Spool
from leat.sources.rest_api.reading.watermark import Seen, is_again, spans_of


@dataclass(slots=True)
class Asking:
    """For what a list is asked.

    Attributes:
        filled: values of placeholders.
        parent: the row of the parent.
        scope: columns that distinguish rows of this list from those of other parents.
        memory: what other lists of the endpoint had.
    """

    filled: Mapping[str, Any] = field(default_factory=dict)
    parent: Mapping[str, Any] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)
    memory: Memory | None = None


def read_list(
    reading: Reading, converter: Converter, before: Mapping[str, Any], asking: Asking | None = None
) -> Iterator[Event | State]:
    """Yield what is new in a list, and as the last item its state for the cursor.

    Raises:
        IntegrationError: it can't be read, or nothing proves that it is complete.
        NoSegment: a value can't be part of the path.
    """
    asking = asking or Asking()
    endpoint, incremental = converter.endpoint, converter.endpoint.incremental
    lists = _lists(reading, converter, before, asking)
    if incremental is not None:
        converter.seen = Seen(endpoint, incremental, reading.sync.now)
    converter.replace, converter.complete = not lists.whole, False
    after: State | None = None
    for event in _news(reading, converter, lists, before):
        if isinstance(event, dict):
            after = event
        else:
            yield event
    converter.complete = lists.whole and not lists.skipped and not converter.bad
    scanned = {"scanned_at": reading.sync.now.isoformat()} if incremental and lists.whole else {}
    if after is None:
        yield {**before, **scanned}
        return
    if incremental is not None:
        after["scanned_at"] = before.get("scanned_at")
    yield from lists.removed.deletes(converter.name, asking.scope)
    converter.gone += lists.removed.gone.values()
    if lists.whole or converter.rows or converter.bad or lists.removed.gone:
        yield from _proofs(converter, lists, asking.scope)
    yield {**after, **scanned}


def _lists(reading: Reading, converter: Converter, before: Mapping[str, Any], asking: Asking) -> Lists:
    """Return the lists that are to be read: all records or those since the last time."""
    endpoint, now = converter.endpoint, reading.sync.now
    whole = before.get("token") is None if endpoint.delta else _is_due(endpoint, before, now)
    filled = {**clock(now), **asking.filled}
    since = None if whole or endpoint.delta else before.get("since")
    asks = [first_request(endpoint, {**filled, **span}) for span in spans_of(endpoint, since, now)]
    asks = [replace(ask, private=bool(converter.hidden)) for ask in asks]
    if not endpoint.moves_on() and not converter.remembered:
        asks = [if_changed(ask, before.get("etag")) for ask in asks]
    spool = Spool(reading.folder, asking.parent)
    memory = asking.memory or Memory()
    return Lists(reading.client, endpoint, asks, memory, spool, Removed(endpoint), whole, before.get("token"))


def _news(reading: Reading, converter: Converter, lists: Lists, before: Mapping[str, Any]) -> Iterator[Event | State]:
    """Yield what is new, and the state after it; nothing when all is as before."""
    if lists.endpoint.delta is not None:
        yield from _changes(reading, converter, lists, before)
    elif lists.whole:
        yield from _whole(reading, converter, lists, before)
    else:
        yield from _since(reading, converter, lists, before)
    ahead = converter.seen.ahead if converter.seen else 0
    if ahead:
        yield Logged("records_in_the_future", {"endpoint": converter.name, "records": ahead})


def _proofs(converter: Converter, lists: Lists, scope: Mapping[str, Any]) -> Iterator[Event]:
    """Yield that a list was read to its end, and where nothing hides a row, that it is all there is."""
    if lists.skipped:
        return
    whole = lists.whole and not converter.bad
    if converter.wanted:
        scans = whole and converter.endpoint.deletes == "full_scan"
        yield FullScan(converter.name, scope, lists.because) if scans else Listed(converter.name, lists.because)
    for name, nested in converter.nested.items():
        where = {column: scope[str(o.parent)] for column, o in nested.columns.items() if o.parent in scope}
        scans = (
            whole and nested.deletes == "full_scan" and name not in converter.bad_nested and len(where) >= len(scope)
        )
        yield FullScan(name, where, lists.because) if scans else Listed(name, lists.because)


def _is_due(endpoint: Endpoint, before: Mapping[str, Any], now: datetime) -> bool:
    """Return whether everything is to be listed although the API can select what is new: to detect what is gone."""
    if before.get("since") is None or endpoint.incremental is None:
        return True
    if endpoint.deletes != "full_scan":
        return False
    scanned = before.get("scanned_at")
    return scanned is None or now - datetime.fromisoformat(scanned) >= endpoint.incremental.full_scan_every


def _whole(reading: Reading, converter: Converter, lists: Lists, before: Mapping[str, Any]) -> Iterator[Event | State]:
    """Yield all rows of a list and its state; nothing when it is the same as before."""
    digest, spool = before.get("digest"), lists.spool
    again = yield from read_into_spool(reading, converter, lists, digest is None)
    if lists.unchanged or lists.skipped:
        return
    changed = digest is None or spool.digest != digest
    for event in grouped(converter, spool) if changed or converter.remembered else ():
        if changed:
            yield event
    if not changed:
        spool.remove()
        return
    state = {} if converter.seen is None else converter.seen.state({})
    if again:  # rows of a listing before may be gone by now: the next run looks at all of them again
        yield {**state, "refused": converter.refused}
        return
    last = lists.last
    etag = last.headers.get("ETag") if last and isinstance(converter.endpoint.paging, OnePage) else None
    etags = {"etag": etag} if etag else {}
    yield {**state, "digest": spool.digest, "refused": converter.refused, **etags}


def _changes(
    reading: Reading, converter: Converter, lists: Lists, before: Mapping[str, Any]
) -> Iterator[Event | State]:
    """Yield the rows that have changed since a token was given, and the state with the next one."""
    delta = converter.endpoint.delta
    yield from read_into_spool(reading, converter, lists, lists.token is None)
    if lists.expired:
        yield Logged("token_expired", {"endpoint": converter.name})
        lists.restart()
        yield from read_into_spool(reading, converter, lists, True)
    converter.replace = not lists.whole
    yield from grouped(converter, lists.spool)
    news = bool(converter.rows or converter.bad or lists.removed.gone or lists.whole)
    if delta is None or lists.skipped or lists.listing is None:
        return
    state = dict(token_state(delta, lists.listing, before, reading.sync.now, news))
    if news or state["token"] != before.get("token"):
        yield {**state, "refused": converter.refused or before.get("refused", "")}


def _since(reading: Reading, converter: Converter, lists: Lists, before: Mapping[str, Any]) -> Iterator[Event | State]:
    """Yield the rows since the last time and the new state; nothing when they are those that were read then."""
    spool = lists.spool
    yield from read_into_spool(reading, converter, lists, True)
    fresh = bool(converter.rows or converter.bad)
    if lists.skipped:
        return
    if not fresh and is_again(before, (page.read() for page in spool.pages), spool.size):
        spool.remove()
        return
    held = list(converter.events(spool.take()))
    state = {} if converter.seen is None else converter.seen.state(before)
    state["digest"] = None  # the next whole list is compared with nothing: what came since may be gone again by then
    state["refused"] = converter.refused or before.get("refused", "")
    if any(state.get(name) != before.get(name, "") for name in ("since", "seen", "refused")):
        yield from held
        yield state
