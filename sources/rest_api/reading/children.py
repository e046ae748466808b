"""Reading an endpoint that is asked for each row of another: what has changed, parent by parent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from leat.sources.events import Delete, Event, FullScan, Listed, Quarantined
from leat.sources.http.concurrency import in_order
from leat.sources.http.validators import open_validators
from leat.sources.rest_api.pages.ends import Memory
from leat.sources.rest_api.pages.requests import NoSegment
from leat.sources.rest_api.reading.below import (
    Below,
    List,
    filled_of,
    gone_of,
    name_of,
    parents_of,
    read_one,
    scope_of,
    taking,
)
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.endpoint import Asking, read_list
from leat.sources.rest_api.reading.listed import GROUP, Reading, State
from leat.sources.rest_api.reading.spool import Spooled
from leat.sources.rest_api.rows.records import Values


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
    parents, complete = parents_of(converter, parent), parent is None or parent.complete
    below = Below(reading, converter, parents, complete, validators, Memory())
    converter.complete = False
    yield from _one_by_one(below) if converter.endpoint.moves_on() else _side_by_side(below)
    for key in parent.gone if parent else ():
        yield from _deletes(converter, {c: key[str(o.parent)] for c, o in taking(converter).items() if o.parent in key})
    for gone in sorted(set(validators.before) - set(validators.seen)):
        if complete:
            yield from _deletes(converter, gone_of(reading.sync, converter, gone))
        else:
            validators.carry_over(gone)
    converter.complete = complete and below.whole and not converter.bad
    yield {"file": validators.save()}


def _side_by_side(below: Below) -> Iterator[Event]:
    """Yield the rows of lists that are read whole, several at a time."""
    converter, first = below.converter, below.first
    scans = converter.endpoint.deletes == "full_scan"
    waiting: list[List] = []

    def read(numbered: tuple[int, Values]) -> List:
        return read_one(below, *numbered)

    for listed in in_order(read, enumerate(below.parents), below.reading.client.limits.in_flight):
        if not _is_new(below, listed):
            yield from _refused(below, listed.name, listed.refused)
            continue
        waiting.append(listed)
        if not first or sum(each.spool.size for each in waiting if each.spool) >= GROUP:
            yield from _events(converter, waiting, scans and not first)
            waiting = []
    yield from _events(converter, waiting, scans and not first)
    if first and below.complete and below.whole and scans and not converter.bad:
        for stream in (*([converter.name] if converter.wanted else []), *_proven(converter)):
            yield FullScan(stream, because=below.because)
    elif below.new and converter.wanted:
        yield Listed(converter.name, below.because)


def _one_by_one(below: Below) -> Iterator[Event]:
    """Yield what is new in lists that are asked for what is new, each from where it was."""
    reading, converter, validators = below.reading, below.converter, below.validators
    for parent in below.parents:
        filled = filled_of(converter, parent)
        name = name_of(reading.sync, converter, parent, filled)
        before = json.loads(validators.before[name][0]) if name in validators.before else {}
        asking = Asking(filled, parent, scope_of(converter, parent), below.memory)
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


def _is_new(below: Below, listed: List) -> bool:
    """Return whether a list has changed since the last run, and remember it as it is now."""
    validators = below.validators
    if listed.because:
        below.because = f"for each parent: {listed.because}"
    if listed.spool is not None:
        if validators.changed(listed.name, listed.spool.digest, listed.etag):
            below.new = True
            return True
        if below.converter.remembered:  # its rows are asked for, although they are as they were
            for _event in below.converter.events(listed.spool.take()):
                pass
        listed.spool.remove()
    elif listed.name in validators.before and not listed.refused:
        validators.carry_over(listed.name)
        below.whole = below.whole and not below.converter.remembered
    else:
        below.whole = False
    return False


def _refused(below: Below, name: str, why: str) -> Iterator[Event]:
    """Yield, once, that a parent can't be asked for."""
    if why and below.validators.changed(name, why, None):
        shown = hashlib.sha256(name.encode()).hexdigest()[:16]
        yield Quarantined(below.converter.name, f"parent {shown}", why, name)


def _events(converter: Converter, lists: list[List], scans: bool) -> Iterator[Event]:
    """Yield the rows of some lists, and that they are all there are below their parents."""
    pages: list[Spooled] = []
    for each in lists:
        pages += each.spool.take() if each.spool else []
    bad = converter.bad
    yield from converter.events(pages)
    for each in lists:
        if scans and converter.bad == bad:
            for stream, where in scopes_of(converter, scope_of(converter, each.parent)):
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
    """Return the nested streams whose complete list is everything."""
    nested = converter.nested.items()
    return [n for n, e in nested if e.deletes == "full_scan" and n not in converter.bad_nested]


def _deletes(converter: Converter, scope: Mapping[str, Any]) -> Iterator[Event]:
    """Yield that the rows below a parent are gone, because it is."""
    for stream, where in scopes_of(converter, scope):
        if where and (stream != converter.name or converter.endpoint.deletes == "full_scan"):
            yield Delete(stream, where)
