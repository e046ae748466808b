"""Reading an endpoint that is asked for each row of another: what has changed, parent by parent."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sources.driver import Sync
from sources.events import Delete, Event, FullScan, Listed, Masked, Quarantined
from sources.rest_api.column import ColumnOptions
from sources.rest_api.convert import Converter
from sources.rest_api.ends import Memory, Miscounted
from sources.rest_api.paging import Listing
from sources.rest_api.paging_styles import OnePage
from sources.rest_api.reading import GROUP, LISTINGS, Asking, Reading, State, miscounted, read_list
from sources.rest_api.records import Values
from sources.rest_api.requests import NoSegment, clock, first_request, text_of
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
class _Below:
    """The lists below all parents.

    Attributes:
        reading: what reading needs.
        converter: makes events of pages.
        parents: rows of the parent, as far as their columns are needed.
        complete: whether they are all there are; the rows of others are then gone.
        validators: of the lists, as the last run saw them and as this one does.
        memory: what the endpoint's lists had so far.
        whole: whether every list was read.
        new: whether any has changed.
        because: why they are complete.
    """

    reading: Reading
    converter: Converter
    parents: list[Values]
    complete: bool
    validators: Validators
    memory: Memory
    whole: bool = True
    new: bool = False
    because: str = "there is no parent"
    first: bool = field(init=False)

    def __post_init__(self) -> None:
        self.first = not self.validators.known


def read_children(
    reading: Reading, converter: Converter, parent: Converter | None, before: Mapping[str, Any]
) -> Iterator[Event | State]:
    """Yield what is new below parents, and as the last item the endpoint's state for the cursor.

    Args:
        reading: what it needs.
        converter: makes events of pages.
        parent: has the rows of the parent; None where the declaration lists all values.
        before: the state that the last run left.
    """
    name = converter.name
    validators = open_validators(reading.sync.folder, name, before.get("file"))
    parents, complete = _parents(converter, parent), parent is None or parent.complete
    below = _Below(reading, converter, parents, complete, validators, Memory())
    converter.complete = False
    yield from _one_by_one(below) if converter.endpoint.moves_on() else _side_by_side(below)
    for key in parent.gone if parent else ():
        yield from _deletes(
            converter, {c: key[str(o.parent)] for c, o in _taking(converter).items() if o.parent in key}
        )
    for gone in sorted(set(validators.known) - set(validators.seen)):
        if complete:
            yield from _deletes(converter, _gone(reading.sync, converter, gone))
        else:
            validators.keep(gone)
    converter.complete = complete and below.whole and not converter.bad
    yield {"file": validators.save()}


def _parents(converter: Converter, parent: Converter | None) -> list[Values]:
    """Return the rows for which is asked: of the parent, with each of the values that are listed."""
    each = converter.endpoint.parent.each if converter.endpoint.parent else {}
    rows: list[Values] = [{}] if parent is None else list(parent.values.values())
    listed = [dict(zip(each, values, strict=True)) for values in itertools.product(*each.values())]
    return [{**row, **more} for row in rows for more in listed]


def _side_by_side(below: _Below) -> Iterator[Event]:
    """Yield the rows of lists that are read whole, several at a time."""
    converter, first = below.converter, below.first
    scans = converter.endpoint.deletes == "full_scan"
    waiting: list[_List] = []

    def read(numbered: tuple[int, Values]) -> _List:
        return _read(below, *numbered)

    for found in in_order(read, enumerate(below.parents), below.reading.client.limits.in_flight):
        if not _is_new(below, found):
            yield from _refused(below, found.name, found.refused)
            continue
        waiting.append(found)
        if not first or sum(each.spool.size for each in waiting if each.spool) >= GROUP:
            yield from _events(converter, waiting, scans and not first)
            waiting = []
    yield from _events(converter, waiting, scans and not first)
    if first and below.complete and below.whole and scans and not converter.bad:
        for stream in (*([converter.name] if converter.wanted else []), *_proven(converter)):
            yield FullScan(stream, because=below.because)
    elif below.new and converter.wanted:
        yield Listed(converter.name, below.because)


def _one_by_one(below: _Below) -> Iterator[Event]:
    """Yield what is new in lists that are asked for what is new, each from where it was."""
    reading, converter, validators = below.reading, below.converter, below.validators
    for parent in below.parents:
        filled = _filled(converter, parent)
        name = _name(reading.sync, converter, parent, filled)
        before = json.loads(validators.known[name][0]) if name in validators.known else {}
        asking = Asking(filled, parent, _scope(converter, parent), below.memory)
        converter.refused = ""
        try:
            for event in read_list(reading, converter, before, asking):
                if isinstance(event, dict):
                    validators.seen[name] = [json.dumps(event, sort_keys=True), ""]
                else:
                    yield event
        except NoSegment as error:
            below.whole = False
            yield from _refused(below, name, str(error))
        else:
            below.whole = below.whole and converter.complete


def _is_new(below: _Below, found: _List) -> bool:
    """Return whether a list has changed since the last run, and remember it as it is now."""
    validators = below.validators
    if found.because:
        below.because = f"for each parent: {found.because}"
    if found.spool is not None:
        if validators.changed(found.name, found.spool.digest, found.etag):
            below.new = True
            return True
        if below.converter.kept:  # its rows are asked for, although they are as they were
            for _event in below.converter.events(found.spool.take()):
                pass
        found.spool.remove()
    elif found.name in validators.known and not found.refused:
        validators.keep(found.name)
        below.whole = below.whole and not below.converter.kept
    else:
        below.whole = False
    return False


def _refused(below: _Below, name: str, why: str) -> Iterator[Event]:
    """Yield, once, that a parent can't be asked for."""
    if why and below.validators.changed(name, why, None):
        shown = hashlib.sha256(name.encode()).hexdigest()[:16]
        yield Quarantined(below.converter.name, f"parent {shown}", why, name)


def _events(converter: Converter, lists: list[_List], scans: bool) -> Iterator[Event]:
    """Yield the rows of some lists, and that they are all there are below their parents."""
    pages: list[Spooled] = []
    for each in lists:
        pages += each.spool.take() if each.spool else []
    bad = converter.bad
    yield from converter.events(pages)
    for each in lists:
        if scans and converter.bad == bad:
            for stream, where in scopes_of(converter, _scope(converter, each.parent)):
                yield FullScan(stream, where, each.because)


def scopes_of(converter: Converter, scope: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the streams that an endpoint's list gives, and which of their rows are below one parent."""
    if converter.wanted:
        yield converter.name, dict(scope)
    for name, nested in converter.nested.items():
        where = {column: scope[str(o.parent)] for column, o in nested.columns.items() if o.parent in scope}
        if where and name in _proven(converter):
            yield name, where


def _proven(converter: Converter) -> list[str]:
    """Return the nested streams of which a complete list is all there is."""
    nested = converter.nested.items()
    return [n for n, e in nested if e.deletes == "full_scan" and n not in converter.bad_nested]


def _deletes(converter: Converter, scope: Mapping[str, Any]) -> Iterator[Event]:
    """Yield that the rows below a parent are gone, because it is."""
    for stream, where in scopes_of(converter, scope):
        if where and (stream != converter.name or converter.endpoint.deletes == "full_scan"):
            yield Delete(stream, where)


def _read(below: _Below, number: int, parent: Values) -> _List:
    """Read the list of one parent."""
    reading, converter = below.reading, below.converter
    endpoint, filled = converter.endpoint, _filled(converter, parent)
    name = _name(reading.sync, converter, parent, filled)
    try:
        ask = first_request(endpoint, {**clock(reading.sync.now), **filled})
        ask = replace(ask, private=bool(converter.hidden))
    except NoSegment as error:
        return _List(name, parent, None, refused=str(error))
    single = isinstance(endpoint.paging, OnePage)
    if single and not converter.kept:
        ask = if_changed(ask, below.validators.etag(name))
    folder = reading.folder / f"{converter.name}-{number}"
    folder.mkdir()
    spool, listing = Spool(folder, parent), Listing(reading.client, endpoint, ask, below.memory)
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


def _filled(converter: Converter, parent: Values) -> dict[str, Any]:
    fills = converter.endpoint.parent.fills() if converter.endpoint.parent else {}
    return {hole: parent[column] for hole, column in fills.items()}


def _scope(converter: Converter, parent: Values) -> dict[str, Any]:
    """Return the columns that take a parent's values, and those: they tell its rows from others'."""
    return {column: parent[str(o.parent)] for column, o in _taking(converter).items()}


def _taking(converter: Converter) -> dict[str, ColumnOptions]:
    return {column: o for column, o in converter.endpoint.columns.items() if o.parent is not None}


def _name(sync: Sync, converter: Converter, parent: Values, filled: Mapping[str, Any]) -> str:
    """Return what tells a parent from others, to be written to a file: its scope, with what else is asked by."""
    scope, masked = _scope(converter, parent), _masked(sync, converter)
    more = {hole: value for hole, value in filled.items() if value not in scope.values()}
    fills = converter.endpoint.parent.fills() if converter.endpoint.parent else {}
    named = {column: sync.mask(str(value)) if column in masked else value for column, value in scope.items()}
    named |= {f"{{{h}}}": sync.mask(str(v)) if fills[h] in converter.hidden else v for h, v in more.items()}
    return json.dumps(named, default=text_of, sort_keys=True)


def _masked(sync: Sync, converter: Converter) -> frozenset[str]:
    """Return the columns whose values are hashed in every stream that takes them."""
    clear = {
        str(options.parent)
        for name, nested in converter.nested.items()
        for column, options in nested.columns.items()
        if options.parent and column not in sync.masked.get(name, frozenset())
    }
    return sync.masked.get(converter.name, frozenset()) - clear


def _gone(sync: Sync, converter: Converter, name: str) -> dict[str, Any]:
    """Return the scope of a parent by what tells it from others."""
    masked = _masked(sync, converter)
    return {column: Masked(value) if column in masked else value for column, value in json.loads(name).items()}
