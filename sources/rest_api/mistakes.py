"""What the types can't say of declared endpoints: names that lead nowhere, styles that don't go together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sources.rest_api.declared import Endpoint
from sources.rest_api.paging_styles import CursorPages, Offset, OnePage, Paged, Pages
from sources.rest_api.record_mistakes import NAME, column_mistakes, parent_of, shape_mistakes

Found = Iterator[tuple[tuple[str | int, ...], str]]
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_ORDERED = frozenset({"timestamp", "datetime", "date", "integer", "string"})


def endpoint_mistakes(endpoints: Mapping[str, Endpoint]) -> Found:
    """Yield where a mistake is below ``endpoints``, and what is wrong."""
    for name, endpoint in endpoints.items():
        if not NAME.fullmatch(name) or name.endswith("_history"):
            yield (name,), "an endpoint becomes a table: write a lower-case identifier, like open_orders"
        records = (*column_mistakes(endpoint, parent_of(endpoint, endpoints)), *shape_mistakes(endpoint))
        for where, text in (*records, *_parents(name, endpoint, endpoints), *_reading(endpoint)):
            yield (name, *where), text


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
    yield from _placeholders(endpoint, set(parent.values) if parent else set())
    if parent is None:
        return
    if known is None or parent.endpoint == name or known.parent is not None or known.nested_in is not None:
        yield ("parent", "endpoint"), f"{parent.endpoint!r} is no endpoint without a parent of its own"
        return
    taken = {options.parent for options in endpoint.columns.values()}
    for placeholder, column in parent.values.items():
        if column not in known.columns:
            yield ("parent", "values", placeholder), f"{parent.endpoint} has no column {column!r}"
        elif column not in taken and endpoint.deletes == "full_scan":
            text = f"no column takes {column}, by which rows of one parent are known from those of another"
            yield (
                ("parent", "values", placeholder),
                f"{text}; add one with {{parent: {column}}}, or write deletes: never",
            )
    if endpoint.incremental is not None:
        yield ("incremental",), "a child is read for each row of its parent; leave incremental out"


def _placeholders(endpoint: Endpoint, filled: set[str]) -> Found:
    """Yield placeholders that nothing fills, and values that fill none; a body may hold other braces, as of GraphQL."""
    for where, value in (("path", endpoint.path), ("params", endpoint.params), ("headers", endpoint.headers)):
        for missing in sorted(set(_PLACEHOLDER.findall(_text(value))) - filled):
            yield (where,), f"nothing fills {{{missing}}}; add it to parent.values"
    for text in _texts(endpoint.body):
        alone = _PLACEHOLDER.fullmatch(text)
        if alone and alone[1] not in filled:
            yield ("body",), f"nothing fills {{{alone[1]}}}; add it to parent.values"
    used = _text([endpoint.path, endpoint.params, endpoint.headers, endpoint.body])
    for unused in sorted(filled - set(_PLACEHOLDER.findall(used))):
        yield ("parent", "values", unused), f"nothing uses {{{unused}}}; write it into path, params, headers or body"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in inner:
        yield from _texts(each)


def _text(value: Any) -> str:
    return "\n".join(_texts(value))


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


def _paging(endpoint: Endpoint) -> Found:
    paging = endpoint.paging
    if not isinstance(paging, Paged):
        return
    if (paging.size is None) != (paging.size_param is None):
        yield ("paging",), "size and size_param belong together"
    if paging.more and paging.last:
        yield ("paging", "last"), "more says the same the other way round; name one of both"
    if isinstance(paging, CursorPages) and (paging.field is None) == (paging.last_record is None):
        yield ("paging",), "name the cursor by field, where the answer has it, or by last_record"
    if isinstance(paging, CursorPages) and paging.last_record and paging.last_record.startswith("records."):
        yield ("paging", "last_record"), "it is a path in a record, such as id"


def _reading(endpoint: Endpoint) -> Found:
    paging, incremental = endpoint.paging, endpoint.incremental
    yield from _paging(endpoint)
    if endpoint.deletes == "full_scan" and isinstance(paging, Pages | Offset) and paging.total is None:
        text = "a record that goes while the pages are read moves the others; name paging.total, by which that is seen"
        yield ("paging",), f"{text}, or write deletes: never"
    if endpoint.body is not None and endpoint.method == "GET":
        yield ("body",), "a GET has none; write method: POST"
    if endpoint.params_in is not None and endpoint.method == "GET":
        yield ("params_in",), "the params of a GET are its query; leave it out, or write method: POST"
    in_body = endpoint.method == "POST" and endpoint.params_in != "query"
    if in_body and any(isinstance(value, list) for value in endpoint.params.values()):
        yield ("params",), "only a query repeats a parameter; write the list into body, or params_in: query"
    if incremental is None:
        return
    column = endpoint.columns.get(incremental.column)
    if column is None:
        yield ("incremental", "column"), f"unknown column {incremental.column!r}"
    elif column.type not in _ORDERED or column.parent:
        yield ("incremental", "column"), f"{incremental.column} is {column.type}; it has to grow with each change"
    elif incremental.overlap and column.type not in ("timestamp", "datetime"):
        yield ("incremental", "overlap"), f"{incremental.column} is {column.type}; only a time overlaps"
