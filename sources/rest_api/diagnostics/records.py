"""What the types can't say of declared columns and records: options that don't go together, names that lead nowhere."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from leat.sources.json_path import EACH, parse_path
from leat.sources.rest_api.declaration.column import ColumnOptions
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.formats import Csv
from leat.sources.rest_api.declaration.paging_styles import OnePage
from leat.sources.stream import EXTRA

Diagnostics = Iterator[tuple[tuple[str | int, ...], str]]
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_TIMES = ("timestamp", "datetime", "date")


def column_diagnostics(endpoint: Endpoint, parent: Endpoint | None) -> Diagnostics:
    """Yield where a mistake is in the columns and the key of an endpoint, and what is wrong.

    Args:
        endpoint: the declaration.
        parent: the endpoint whose rows it is asked for, or in whose records it is nested, where that is declared.
    """
    for name, options in endpoint.columns.items():
        if not NAME.fullmatch(name) or name == EXTRA:
            yield ("columns", name), "write a lower-case identifier that is not extra, and the API's name as field"
        for where, text in (*_time(options), *_place(options, parent)):
            yield ("columns", name, where), text
        of = options.subject and options.subject.of
        if of is not None and (of not in endpoint.columns or endpoint.columns[of].subject is None):
            yield ("columns", name, "subject", "of"), f"{of!r} is no column of this endpoint that has a subject"
    for i, name in enumerate(endpoint.key):
        if name not in endpoint.columns:
            yield ("key", i), f"unknown column {name!r}; valid: {', '.join(endpoint.columns)}"
        elif endpoint.columns[name].type == "json":
            yield ("key", i), f"{name} is json; a key is a plain value"


def _time(options: ColumnOptions) -> Iterator[tuple[str, str]]:
    kind = options.type
    if options.unix and kind != "timestamp":
        yield "unix", f"the column is {kind}; only a timestamp has a unit"
    if options.format is not None:
        yield from _format(options.format, options)
    if options.zone is not None:
        if kind != "timestamp" or options.unix:
            yield "zone", "only a timestamp that is written as text has a zone"
        elif options.zone not in available_timezones():
            near = difflib.get_close_matches(options.zone, available_timezones(), n=1)
            meant = f'; did you mean "{near[0]}"?' if near else "; write one such as Europe/Paris"
            yield "zone", f"no time zone {options.zone!r}{meant}"


def _format(pattern: str, options: ColumnOptions) -> Iterator[tuple[str, str]]:
    if options.type not in _TIMES or options.unix:
        yield "format", f"the column is {options.type}; only a time that is written as text has a format"
        return
    try:
        now = datetime(2026, 3, 1, 10, 20, 30, tzinfo=ZoneInfo("UTC"))
        datetime.strptime(now.strftime(pattern), pattern).replace(tzinfo=UTC)
    except (ValueError, re.error) as error:
        yield "format", f"{error}; write it as Python's strptime does, for example %d/%m/%Y %H:%M"
        return
    if options.type == "timestamp" and "%z" not in pattern and options.zone is None:
        yield "format", "a timestamp has a zone: add %z where it is written, else declare zone, or the type datetime"


def _place(options: ColumnOptions, parent: Endpoint | None) -> Iterator[tuple[str, str]]:
    if options.field is not None and EACH in parse_path(options.field):
        yield "field", "a column takes one value: make an endpoint of the list by nested_in, or take it whole as json"
    if options.parent is None:
        return
    if options.field:
        yield "parent", "a column has either field or parent"
    for name in ("unix", "format", "zone", "convert"):
        if getattr(options, name):
            yield name, "the value is the parent's, and is read as it is declared there"
    column = parent.columns.get(options.parent) if parent else None
    if column is not None and column.type != options.type:
        yield "type", f"{options.parent} of the parent is {column.type}; declare the same"


def shape_diagnostics(endpoint: Endpoint) -> Diagnostics:
    """Yield where a mistake is in what an endpoint says of its answers and records, and what is wrong."""
    each = EACH in endpoint.records_path()
    keyed, kind = endpoint.keyed_by, endpoint.format.kind
    if keyed is not None and keyed not in endpoint.columns:
        yield ("keyed_by",), f"unknown column {keyed!r}; valid: {', '.join(endpoint.columns)}"
    elif keyed is not None and (endpoint.columns[keyed].field or endpoint.columns[keyed].parent):
        yield ("keyed_by",), f"{keyed} takes the names; leave its field and parent out"
    if keyed is not None and (endpoint.single or each):
        yield ("keyed_by",), "records is one object whose values are the records; leave single and [*] out"
    if endpoint.single and (each or endpoint.nested_in or not isinstance(endpoint.paging, OnePage)):
        yield ("single",), "there is one object in one answer; leave [*], paging and nested_in out"
    if kind != "json" and endpoint.nested_in:
        yield ("format",), "the list comes in the answers of the other endpoint; declare the format there"
    elif kind in ("csv", "ndjson") and (endpoint.records or endpoint.single or keyed):
        yield ("format",), f"each line of {kind} is a record; leave records, single and keyed_by out"
    elif kind == "xml" and not endpoint.records:
        yield ("format",), "name the elements that are the records, as records: feed.entry"
    yield from _encoding(endpoint)


def _encoding(endpoint: Endpoint) -> Diagnostics:
    if isinstance(endpoint.format, Csv):
        try:
            codecs.lookup(endpoint.format.encoding)
        except LookupError:
            yield ("format",), f"no encoding {endpoint.format.encoding!r}; write one such as utf-8 or latin-1"


def parent_of(endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Endpoint | None:
    """Return the endpoint whose values an endpoint takes."""
    return endpoints.get(endpoint.nested_in or ((endpoint.parent.endpoint or "") if endpoint.parent else ""))
