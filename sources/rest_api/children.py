"""Reading an endpoint that is asked for each row of another: what has changed, parent by parent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sources.events import Delete, Event, FullScan, Quarantined
from sources.rest_api.convert import Converter
from sources.rest_api.follow import Memory, memory_of
from sources.rest_api.paging import Listing, Miscounted
from sources.rest_api.paging_styles import OnePage
from sources.rest_api.reading import GROUP, LISTINGS, Reading, State, miscounted
from sources.rest_api.records import Values
from sources.rest_api.requests import NoSegment, first_request, text_of
from sources.rest_api.spool import Spool, Spooled
from sources.web.flight import in_order
from sources.web.validators import Validators, if_changed, open_validators


@dataclass(frozen=True, slots=True)
class _List:
    """The list of one parent as it was read.

    Attributes:
        name: of the parent among others.
        parent: its row.
        spool: its pages; None when it hasn't changed, or couldn't be asked for.
        etag: of the answer.
        because: why the list is complete.
        refused: why it can't be asked for.
    """

    name: str
    parent: Values
    spool: Spool | None
    etag: str | None = None
    because: str = ""
    refused: str = ""


@dataclass(slots=True)
class _Progress:
    """What is new below parents so far.

    Attributes:
        validators: of the lists, as the last run saw them and as this one does.
        first: whether there was no last run.
        whole: whether every list was read.
        because: why they are complete.
        new: whether any has changed.
    """

    validators: Validators
    first: bool
    whole: bool = True
    because: str = "there is no parent"
    new: bool = False


def read_children(
    reading: Reading, converter: Converter, parents: Iterable[Values], complete: bool, before: Mapping[str, Any]
) -> Iterator[Event | State]:
    """Yield what is new below parents, and as the last item the endpoint's state for the cursor.

    Args:
        reading: what it needs.
        converter: makes events of pages.
        parents: rows of the parent, as far as their columns are needed.
        complete: whether they are all there are; the rows of others are then gone.
        before: the state that the last run left.
    """
    name, scans = converter.name, converter.endpoint.deletes == "full_scan"
    validators = open_validators(reading.sync.folder, name, before.get("file"))
    progress = _Progress(validators, not validators.known)
    memory = memory_of(before)

    def read(numbered: tuple[int, Values]) -> _List:
        return _read(reading, converter, validators, memory, *numbered)

    waiting: list[_List] = []
    for found in in_order(read, enumerate(parents), reading.client.limits.in_flight):
        if not _is_new(progress, found):
            yield from _refused(progress, name, found)
            continue
        waiting.append(found)
        if not progress.first or sum(each.spool.size for each in waiting if each.spool) >= GROUP:
            yield from _events(converter, waiting, scans and not progress.first)
            waiting = []
    yield from _events(converter, waiting, scans and not progress.first)
    if progress.first and complete and progress.whole and scans and not converter.bad:
        yield FullScan(name, because=progress.because)
    for gone in sorted(set(validators.known) - set(validators.seen)):
        if complete and scans:
            yield Delete(name, json.loads(gone))
        elif not complete:
            validators.keep(gone)
    yield {"file": validators.save(), "pages": memory.state()}


def _is_new(progress: _Progress, found: _List) -> bool:
    """Return whether a list has changed since the last run, and remember it as it is now."""
    validators = progress.validators
    if found.because:
        progress.because = f"for each parent: {found.because}"
    if found.spool is not None:
        if validators.changed(found.name, found.spool.digest, found.etag):
            progress.new = True
            return True
        found.spool.remove()
    elif found.name in validators.known and not found.refused:
        validators.keep(found.name)
    else:
        progress.whole = False
    return False


def _refused(progress: _Progress, name: str, found: _List) -> Iterator[Event]:
    """Yield, once, that a parent can't be asked for."""
    if found.refused and progress.validators.changed(found.name, found.refused, None):
        shown = hashlib.sha256(found.name.encode()).hexdigest()[:16]
        yield Quarantined(name, f"parent {shown}", found.refused, found.name)


def _events(converter: Converter, lists: list[_List], scans: bool) -> Iterator[Event]:
    """Yield the rows of some lists, and that they are all there are below their parents."""
    pages: list[Spooled] = []
    for each in lists:
        pages += each.spool.take() if each.spool else []
    bad = converter.bad
    yield from converter.events(pages)
    for each in lists:
        if scans and converter.bad == bad:
            yield FullScan(converter.name, _scope(converter, each.parent), each.because)


def _read(
    reading: Reading, converter: Converter, validators: Validators, memory: Memory, number: int, parent: Values
) -> _List:
    """Read the list of one parent."""
    endpoint = converter.endpoint
    filled = {} if endpoint.parent is None else {hole: parent[c] for hole, c in endpoint.parent.values.items()}
    name = _name(converter, parent, filled)
    try:
        ask = first_request(endpoint, filled, None)
    except NoSegment as error:
        return _List(name, parent, None, refused=str(error))
    single = isinstance(endpoint.paging, OnePage)
    if single:
        ask = if_changed(ask, validators.etag(name))
    folder = reading.folder / f"{converter.name}-{number}"
    folder.mkdir()
    spool, listing = Spool(folder, parent), Listing(reading.client, endpoint, ask, memory)
    wrong: list[str] = []
    while not listing.because and not listing.unchanged:
        spool.restart()
        try:
            for page in listing.start():
                spool.add(page)
        except Miscounted as error:
            wrong.append(str(error))
            if len(wrong) == LISTINGS:
                raise miscounted(reading, converter.name, wrong) from None
    reading.sync.progress(converter.name, 0)
    etag = listing.last.headers.get("ETag") if listing.last and single else None
    nothing = listing.unchanged or listing.skipped
    return _List(name, parent, None if nothing else spool, etag, listing.because)


def _scope(converter: Converter, parent: Values) -> dict[str, Any]:
    """Return the columns that take a parent's values, and those: they tell its rows from others'."""
    return {column: parent[o.parent] for column, o in converter.endpoint.columns.items() if o.parent is not None}


def _name(converter: Converter, parent: Values, filled: Mapping[str, Any]) -> str:
    """Return what tells a parent from others: its scope, with what else is asked by."""
    scope = _scope(converter, parent)
    more = {f"{{{hole}}}": value for hole, value in filled.items() if value not in scope.values()}
    return json.dumps({**scope, **more}, default=text_of, sort_keys=True)
