"""Reading an endpoint that is asked for each row of another: what has changed, parent by parent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sources.events import Delete, Event, FullScan
from sources.rest_api.convert import Converter, Values, parents_of
from sources.rest_api.paging import read_pages
from sources.rest_api.paging_styles import OnePage
from sources.rest_api.reading import GROUP, Reading, State
from sources.rest_api.requests import first_request, text_of
from sources.rest_api.spool import Spool, Spooled
from sources.web.flight import in_order
from sources.web.validators import Validators, if_changed, open_validators


@dataclass(frozen=True, slots=True)
class _List:
    """The list of one parent as it was read; no spool when it hasn't changed."""

    name: str
    parent: Values
    spool: Spool | None
    etag: str | None


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
    endpoint, name = converter.endpoint, converter.name
    validators = open_validators(reading.sync.folder, name, before.get("file"))
    first = not validators.known
    scans = endpoint.deletes == "full_scan"

    def read(numbered: tuple[int, Values]) -> _List:
        return _read(reading, converter, validators, *numbered)

    group: list[Spooled] = []
    of_group: dict[str, Values] = {}
    for found in in_order(read, enumerate(parents), reading.client.limits.in_flight):
        if found.spool is None:
            validators.keep(found.name)
        elif validators.changed(found.name, found.spool.digest, found.etag):
            of_group |= parents_of(found.spool.pages, found.parent)
            group += found.spool.take()
            if not first or sum(page.size for page in group) >= GROUP:
                bad = converter.bad
                yield from converter.events(group, of_group)
                group, of_group = [], {}
                if not first and scans and converter.bad == bad:
                    yield FullScan(name, _scope(converter, found.parent))
        else:
            found.spool.remove()
    yield from converter.events(group, of_group)
    if first and complete and scans and not converter.bad:
        yield FullScan(name)
    for gone in sorted(set(validators.known) - set(validators.seen)):
        if complete and scans:
            yield Delete(name, json.loads(gone))
        elif not complete:
            validators.keep(gone)
    yield {"file": validators.save()}


def _read(reading: Reading, converter: Converter, validators: Validators, number: int, parent: Values) -> _List:
    """Read the list of one parent to disk."""
    endpoint = converter.endpoint
    name = json.dumps(_scope(converter, parent), default=text_of, sort_keys=True)
    filled = {} if endpoint.parent is None else {hole: parent[c] for hole, c in endpoint.parent.values.items()}
    ask = first_request(endpoint, filled, None)
    single = isinstance(endpoint.paging, OnePage)
    if single:
        ask = if_changed(ask, validators.etag(name))
    folder = reading.folder / f"{converter.name}-{number}"
    folder.mkdir()
    spool, etag, pages = Spool(folder), None, 0
    for page in read_pages(reading.client, endpoint, ask):
        pages += 1
        etag = page.headers.get("ETag") if single else None
        spool.add(page)
    reading.sync.progress(converter.name, 0)
    return _List(name, parent, spool if pages else None, etag)


def _scope(converter: Converter, parent: Values) -> dict[str, Any]:
    """Return the columns that take a parent's values, and those: they tell its rows from others'."""
    return {column: parent[o.parent] for column, o in converter.endpoint.columns.items() if o.parent is not None}
