"""The list of one parent: how it is requested, what distinguishes it from other lists, and its pages."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from leat.sources.driver import Sync
from leat.sources.events import Masked
from leat.sources.http.validators import Validators, if_changed
from leat.sources.rest_api.declaration.column import ColumnOptions
from leat.sources.rest_api.declaration.paging_styles import OnePage
from leat.sources.rest_api.pages.ends import Memory, Miscounted
from leat.sources.rest_api.pages.paging import Listing
from leat.sources.rest_api.pages.requests import NoSegment, clock, first_request, text_of
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.listed import LISTINGS, Reading, miscounted
from leat.sources.rest_api.reading.spool import Spool
from leat.sources.rest_api.rows.records import Values


@dataclass(frozen=True, slots=True)
class List:
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
class Below:
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
        self.first = not self.validators.before


def parents_of(converter: Converter, parent: Converter | None) -> list[Values]:
    """Return the rows for which is asked: of the parent, with each of the values that are listed."""
    each = converter.endpoint.parent.each if converter.endpoint.parent else {}
    rows: list[Values] = [{}] if parent is None else list(parent.values.values())
    listed = [dict(zip(each, values, strict=True)) for values in itertools.product(*each.values())]
    return [{**row, **more} for row in rows for more in listed]


def read_one(below: Below, number: int, parent: Values) -> List:
    """Read the list of one parent."""
    reading, converter = below.reading, below.converter
    endpoint, filled = converter.endpoint, filled_of(converter, parent)
    name = name_of(reading.sync, converter, parent, filled)
    try:
        ask = first_request(endpoint, {**clock(reading.sync.now), **filled})
        ask = replace(ask, private=bool(converter.hidden))
    except NoSegment as error:
        return List(name, parent, None, refused=str(error))
    single = isinstance(endpoint.paging, OnePage)
    if single and not converter.remembered:
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
    return List(name, parent, None if nothing else spool, etag, listing.because)


def filled_of(converter: Converter, parent: Values) -> dict[str, Any]:
    """Return the values of placeholders for one parent."""
    fills = converter.endpoint.parent.fills() if converter.endpoint.parent else {}
    return {hole: parent[column] for hole, column in fills.items()}


def scope_of(converter: Converter, parent: Values) -> dict[str, Any]:
    """Return the columns that take a parent's values, and those: they distinguish its rows."""
    return {column: parent[str(o.parent)] for column, o in taking(converter).items()}


def taking(converter: Converter) -> dict[str, ColumnOptions]:
    """Return the columns that take a value of the parent."""
    return {column: o for column, o in converter.endpoint.columns.items() if o.parent is not None}


def name_of(sync: Sync, converter: Converter, parent: Values, filled: Mapping[str, Any]) -> str:
    """Return what identifies a parent, to be written to a file: its scope, with what else is asked by."""
    scope, masked = scope_of(converter, parent), masked_of(sync, converter)
    more = {hole: value for hole, value in filled.items() if value not in scope.values()}
    fills = converter.endpoint.parent.fills() if converter.endpoint.parent else {}
    stream = converter.name
    named = {c: sync.conceal(stream, c, value) if c in masked else value for c, value in scope.items()}
    named |= {f"{{{h}}}": sync.mask(str(v)) if fills[h] in converter.hidden else v for h, v in more.items()}
    return json.dumps(named, default=text_of, sort_keys=True)


def masked_of(sync: Sync, converter: Converter) -> frozenset[str]:
    """Return the columns whose values are hashed in every stream that takes them."""
    clear = {
        str(options.parent)
        for name, nested in converter.nested.items()
        for column, options in nested.columns.items()
        if options.parent and column not in sync.masked.get(name, frozenset())
    }
    return sync.masked.get(converter.name, frozenset()) - clear


def gone_of(sync: Sync, converter: Converter, name: str) -> dict[str, Any]:
    """Return the scope of a parent by what identifies it."""
    masked = masked_of(sync, converter)
    return {column: Masked(value) if column in masked else value for column, value in json.loads(name).items()}
