"""What the types can't say of declared endpoints: names that lead nowhere, styles that don't go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sources.rest_api.declared import Endpoint
from sources.rest_api.paging_styles import CursorPages, NextHeader, Offset, OnePage, Pages
from sources.stream import EXTRA

Found = Iterator[tuple[tuple[str | int, ...], str]]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_ORDERED = frozenset({"timestamp", "datetime", "date", "integer", "string"})


def endpoint_mistakes(endpoints: Mapping[str, Endpoint]) -> Found:
    """Yield where a mistake is below ``endpoints``, and what is wrong."""
    for name, endpoint in endpoints.items():
        if not _NAME.fullmatch(name) or name.endswith("_history"):
            yield (name,), "an endpoint becomes a table: write a lower-case identifier, like open_orders"
        for where, text in (*_columns(endpoint), *_parents(name, endpoint, endpoints), *_reading(endpoint)):
            yield (name, *where), text


def _columns(endpoint: Endpoint) -> Found:
    for name, column in endpoint.columns.items():
        if not _NAME.fullmatch(name) or name == EXTRA:
            yield ("columns", name), "write a lower-case identifier that is not extra, and the API's name as field"
        if column.unix and column.type != "timestamp":
            yield ("columns", name, "unix"), f"the column is {column.type}; only a timestamp has a unit"
        if column.parent and column.field:
            yield ("columns", name, "parent"), "a column has either field or parent"
    for i, name in enumerate(endpoint.key):
        if name not in endpoint.columns:
            yield ("key", i), f"unknown column {name!r}; known: {', '.join(endpoint.columns)}"
        elif endpoint.columns[name].type == "json":
            yield ("key", i), f"{name} is json; a key is a plain value"


def _parents(name: str, endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Found:
    if endpoint.nested_in is not None:
        yield from _nested(endpoint, endpoints)
    parent = endpoint.parent
    of_parent = endpoint.nested_in if parent is None else parent.endpoint
    known = endpoints.get(of_parent or "")
    for column, options in endpoint.columns.items():
        if options.parent and known is None:
            yield ("columns", column, "parent"), "the endpoint has no parent; name it by parent or nested_in"
        elif options.parent and known and options.parent not in known.columns:
            yield ("columns", column, "parent"), f"{of_parent} has no column {options.parent!r}"
    text = endpoint.path + "".join(str(value) for value in endpoint.params.values())
    filled = set(parent.values) if parent else set()
    for missing in sorted(set(_PLACEHOLDER.findall(text)) - filled):
        yield ("path",), f"nothing fills {{{missing}}}; add it to parent.values"
    if parent is None:
        return
    if known is None or parent.endpoint == name or known.parent is not None or known.nested_in is not None:
        yield ("parent", "endpoint"), f"{parent.endpoint!r} is no endpoint without a parent of its own"
        return
    for placeholder, column in parent.values.items():
        if column not in known.columns:
            yield ("parent", "values", placeholder), f"{parent.endpoint} has no column {column!r}"
    if endpoint.incremental is not None:
        yield ("incremental",), "a child is read for each row of its parent; leave incremental out"


def _nested(endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Found:
    outer = endpoints.get(endpoint.nested_in or "")
    if outer is None or outer.nested_in is not None or outer.parent is not None:
        yield ("nested_in",), f"{endpoint.nested_in!r} is no endpoint without a parent of its own"
    if endpoint.records is None:
        yield ("nested_in",), "name the field of the record that has the list, as records"
    if endpoint.incremental or endpoint.parent or not isinstance(endpoint.paging, OnePage):
        yield ("nested_in",), "the list comes with its records; leave paging, incremental and parent out"
    if outer and not any(options.parent in outer.key for options in endpoint.columns.values() if options.parent):
        yield ("nested_in",), f"a column has to take the key of {endpoint.nested_in}: {{parent: {outer.key[0]}}}"


def _reading(endpoint: Endpoint) -> Found:
    paging, incremental = endpoint.paging, endpoint.incremental
    if isinstance(paging, Pages) and (paging.size is None) != (paging.size_param is None):
        yield ("paging",), "size and size_param belong together"
    numbered = isinstance(paging, Pages | Offset)
    if endpoint.deletes == "full_scan" and isinstance(paging, Pages | Offset) and paging.total is None:
        text = "a record that goes while the pages are read moves the others; name paging.total, by which that is seen"
        yield ("paging",), f"{text}, or write deletes: never"
    if endpoint.body is not None and endpoint.method == "GET":
        yield ("body",), "a GET has none; write method: POST"
    if endpoint.method == "POST" and not (numbered or isinstance(paging, CursorPages | NextHeader | OnePage)):
        yield ("paging",), "the next page of a POST can't be an address; use pages, offset or cursor"
    if incremental is None:
        return
    column = endpoint.columns.get(incremental.column)
    if column is None:
        yield ("incremental", "column"), f"unknown column {incremental.column!r}"
    elif column.type not in _ORDERED or column.parent:
        yield ("incremental", "column"), f"{incremental.column} is {column.type}; it has to grow with each change"
    elif incremental.overlap and column.type not in ("timestamp", "datetime"):
        yield ("incremental", "overlap"), f"{incremental.column} is {column.type}; only a time overlaps"
