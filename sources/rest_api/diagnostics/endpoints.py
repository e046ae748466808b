"""What the types can't say of declared endpoints: names that lead nowhere, styles that don't go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import CursorPages, Offset, Paged, Pages
from leat.sources.rest_api.diagnostics.parents import outer_diagnostics, parent_diagnostics, placeholder_diagnostics
from leat.sources.rest_api.diagnostics.records import NAME, column_diagnostics, parent_of, shape_diagnostics
from leat.sources.rest_api.diagnostics.watermarks import delta_diagnostics, incremental_diagnostics

Diagnostics = Iterator[tuple[tuple[str | int, ...], str]]


def endpoint_diagnostics(endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    """Yield where a mistake is below ``endpoints``, and what is wrong."""
    for name, endpoint in endpoints.items():
        if not NAME.fullmatch(name) or name.endswith("_history"):
            yield (name,), "an endpoint becomes a table: write a lower-case identifier, like open_orders"
        records = (*column_diagnostics(endpoint, parent_of(endpoint, endpoints)), *shape_diagnostics(endpoint))
        if endpoint.columns:
            diagnostics = (*records, *parent_diagnostics(name, endpoint, endpoints), *_reading(endpoint))
        else:  # a preview proposes the rest
            diagnostics = (*placeholder_diagnostics(endpoint), *outer_diagnostics(name, endpoint, endpoints))
        for where, text in diagnostics:
            yield (name, *where), text


def endpoint_gaps(endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    """Yield where something is missing below ``endpoints`` that a preview proposes."""
    for name, endpoint in endpoints.items():
        if not endpoint.columns:
            yield (name, "columns"), "declare columns; `leat preview` reads two pages and prints them"
        elif not endpoint.key:
            yield (name, "key"), "name the columns that identify a row, for example key: id"


def _paging(endpoint: Endpoint) -> Diagnostics:
    paging = endpoint.paging
    if not isinstance(paging, Paged):
        return
    if (paging.size is None) != (paging.size_param is None):
        yield ("paging",), "size and size_param belong together"
    fields = [name for name in paging.reads() if "-" not in name]  # a header may say it
    if endpoint.records is None and fields and not (endpoint.single or endpoint.keyed_by):
        text = f"the answer is the list itself and has no field {fields[0]}; name the field of the list as records"
        yield ("records",), text
    if paging.more and paging.last:
        yield ("paging", "last"), "more says the same the other way round; name one of both"
    if isinstance(paging, CursorPages) and (paging.field is None) == (paging.last_record is None):
        yield ("paging",), "name the cursor by field, where the answer has it, or by last_record"
    if isinstance(paging, CursorPages) and paging.last_record and paging.last_record.startswith("records."):
        yield ("paging", "last_record"), "it is a path in a record, such as id"


def _reading(endpoint: Endpoint) -> Diagnostics:
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
    yield from placeholder_diagnostics(endpoint)
    yield from delta_diagnostics(endpoint)
    if incremental is not None:
        yield from incremental_diagnostics(endpoint, incremental)
