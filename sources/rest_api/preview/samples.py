"""Samples of the endpoints of an API: two pages of a list, one parent's list of a child, read as a load reads them.

An endpoint that is declared without ``columns`` is sampled all the same, and what is left open is proposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.sources.driver import Sync
from leat.sources.events import Event, Quarantined, Rows
from leat.sources.http.client import Client
from leat.sources.http.request import HttpRequest
from leat.sources.personal_data import by_values
from leat.sources.rest_api.declaration.column import MARK, ColumnOptions, is_open
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.pages.delta import first_of
from leat.sources.rest_api.pages.requests import NoSegment, clock, first_request, text_of
from leat.sources.rest_api.preview.first_pages import Brief, Seen, read_some
from leat.sources.rest_api.preview.proposal import completed, propose, with_outer, with_parent
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.spool import Spool
from leat.sources.rest_api.reading.watermark import spans_of
from leat.sources.rest_api.rows.records import Values
from leat.sources.sample import Sample

_WINDOWS = 4
"""So many windows of time are read, from the last one on, until one has records."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What sampling the endpoints of a connection needs."""

    client: Client
    endpoints: Mapping[str, Endpoint]
    folder: Path
    sync: Sync

    def samples(self) -> Iterator[Sample]:
        """Yield a sample of each stream that is wanted, those below others after these."""
        for name, endpoint in self.endpoints.items():
            outermost = endpoint.parent is None or endpoint.parent.endpoint is None
            if outermost and endpoint.nested_in is None and self._is_needed(name):
                yield from self._at(name, {}, "")

    def _is_needed(self, name: str) -> bool:
        inside = (n for n, e in self.endpoints.items() if name in (e.nested_in, e.parent and e.parent.endpoint))
        return name in self.sync.streams or any(self._is_needed(each) for each in inside)

    def _at(self, name: str, row: Values, of: str, above: Endpoint | None = None) -> Iterator[Sample]:
        """Yield a sample of one endpoint, at the lists in its records, and at those below one of its rows.

        Args:
            name: of the endpoint.
            row: the row of its parent, for which it is asked.
            of: name of that.
            above: the endpoint of that name.
        """
        endpoint = self.endpoints[name]
        parent = {**row, **{n: values[0] for n, values in (endpoint.parent.each if endpoint.parent else {}).items()}}
        filled = {hole: parent[c] for hole, c in (endpoint.parent.fills() if endpoint.parent else {}).items()}
        masked = self.sync.masked.get(of, frozenset())
        fills = endpoint.parent.fills().items() if endpoint.parent else ()
        notes = _asked_for(of, {hole: "(masked)" if column in masked else parent[column] for hole, column in fills})
        children = [n for n, e in self.endpoints.items() if e.parent and e.parent.endpoint == name]
        remembered = {c for n in children if self._is_needed(n) for c in _of_parent(self.endpoints[n])}
        self.sync.progress(name, 0)
        brief, proposed = Brief(self.client), ""
        try:
            ask, seen = self._first(brief, endpoint, filled)
        except NoSegment as error:
            yield Sample(name, "nothing", notes=(*notes, str(error)))
            return
        if not endpoint.columns:
            endpoint, seen, more = completed(brief, endpoint, ask, seen)
            endpoint = (
                with_parent(endpoint, of, above, remembered - endpoint.columns.keys()) if endpoint.columns else endpoint
            )
            notes, proposed = (*notes, *more), propose(name, endpoint)
        nested = {n: e for n, e in self.endpoints.items() if e.nested_in == name and n in self.sync.streams}
        given = {n: e for n, e in nested.items() if e.columns}
        converter = Converter(name, endpoint, given, True, tuple(sorted(remembered & set(endpoint.columns))))
        events = _events(converter, seen, self.folder, parent) if endpoint.columns else []
        if name in self.sync.streams:
            notes = (*notes, *_unmarked(name, self.endpoints[name], events))
            yield _sample(name, seen, events, proposed, notes)
        yield from self._nested(nested, given, (name, endpoint), seen, events)
        for child in children:
            if self._is_needed(child):
                yield from self._below(child, converter)

    def _nested(
        self,
        nested: Mapping[str, Endpoint],
        given: Mapping[str, Endpoint],
        outer: tuple[str, Endpoint],
        seen: Seen,
        events: Iterable[Event],
    ) -> Iterator[Sample]:
        for name, endpoint in nested.items():
            if name in given:
                notes = (f"lists in records of {outer[0]}", *_unmarked(name, endpoint, events))
                yield _sample(name, seen, events, notes=notes)
            else:
                yield with_outer(name, endpoint, *outer, seen)

    def _below(self, name: str, converter: Converter) -> Iterator[Sample]:
        """Yield a sample of an endpoint that is asked for each row of another: for the first that was read."""
        row = next(iter(converter.values.values()), None)
        missing = sorted(_of_parent(self.endpoints[name]) - converter.endpoint.columns.keys())
        if missing:
            if name in self.sync.streams:
                note = f"{converter.name} has no column {', '.join(missing)} yet: declare it, and preview it again"
                yield Sample(name, "nothing", notes=(note,))
        elif row is not None:
            yield from self._at(name, row, converter.name, converter.endpoint)
        elif name in self.sync.streams:
            note = f"no row of {converter.name} was read that has a value for each placeholder"
            yield Sample(name, "nothing", notes=(note,))

    def _first(self, brief: Brief, endpoint: Endpoint, filled: Values) -> tuple[HttpRequest, Seen]:
        """Return the first request of a list, and its first pages; of several windows of time the last with records.

        Raises:
            NoSegment: a value can't be part of the path.
        """
        dated = endpoint
        if endpoint.incremental is not None and not endpoint.columns:  # what grows is a time most often
            column = {endpoint.incremental.column: ColumnOptions(type="timestamp")}
            dated = endpoint.model_copy(update={"columns": column})
        spans = spans_of(dated, None, self.sync.now)[-_WINDOWS:]
        while True:
            values = {**clock(self.sync.now), **spans.pop(), **filled}
            ask = first_of(endpoint, first_request(endpoint, values), None)
            seen = read_some(brief, endpoint, ask)
            if not spans or seen.error is not None or any(page.count for page in seen.pages):
                return ask, seen


def _asked_for(of: str, filled: Mapping[str, Any]) -> tuple[str, ...]:
    shown = ", ".join(f"{hole}={text_of(value)}" for hole, value in filled.items())
    return (f"for one row of {of}: {shown}" if of else f"for the first value: {shown}",) if filled else ()


def _of_parent(endpoint: Endpoint) -> set[str]:
    """Return the columns of its parent that an endpoint needs."""
    each = endpoint.parent.each if endpoint.parent else {}
    named = set(endpoint.parent.values.values()) if endpoint.parent else set()
    return named | {options.parent for options in endpoint.columns.values() if options.parent} - set(each)


def _events(converter: Converter, seen: Seen, folder: Path, parent: Values) -> list[Event]:
    spool = Spool(folder, parent)
    for page in seen.pages:
        spool.add(page)
    return list(converter.events(spool.take()))


def _unmarked(name: str, endpoint: Endpoint, events: Iterable[Event]) -> Iterator[str]:
    """Yield the declared columns that are personal data by their values, and aren't marked; names are for `check`."""
    tables = [event.table for event in events if isinstance(event, Rows) and event.stream == name]
    for column, options in endpoint.columns.items():
        if is_open(options) and (meaning := by_values(v for t in tables for v in t[column].to_pylist())):
            yield f"{column} has {meaning}: {MARK}"


def _sample(name: str, seen: Seen, events: Iterable[Event], proposed: str = "", notes: tuple[str, ...] = ()) -> Sample:
    own = [event for event in events if getattr(event, "stream", None) == name]
    return Sample(
        stream=name,
        read=seen.words,
        tables=tuple(event.table for event in own if isinstance(event, Rows)),
        bad=tuple(event for event in own if isinstance(event, Quarantined)),
        complete=seen.complete,
        more=seen.more,
        error=seen.error,
        proposed=proposed,
        notes=notes,
    )
