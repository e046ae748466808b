"""What the types can't say of endpoints below endpoints: rows that lead nowhere, placeholders that nothing fills."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from leat.sources.rest_api.declaration.endpoint import Endpoint, Parent
from leat.sources.rest_api.declaration.paging_styles import OnePage

Diagnostics = Iterator[tuple[tuple[str | int, ...], str]]
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


def parent_diagnostics(name: str, endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    """Yield where a mistake is in the place of an endpoint among others, and what is wrong."""
    if endpoint.nested_in is not None:
        yield from _nested(endpoint, endpoints)
    parent = endpoint.parent
    of_parent = endpoint.nested_in if parent is None else parent.endpoint
    declared = endpoints.get(of_parent or "")
    each = parent.each if parent else {}
    is_open = declared is not None and not declared.columns  # a preview proposes its columns
    for column, options in endpoint.columns.items() if not is_open else ():
        if options.parent and declared is None and not each:
            yield ("columns", column, "parent"), "the endpoint has no parent; name it by parent or nested_in"
        elif options.parent and options.parent not in {*each, *(declared.columns if declared else ())}:
            yield ("columns", column, "parent"), f"{of_parent} has no column {options.parent!r}"
    if parent is not None:
        yield from _parent(name, endpoint, parent, endpoints)


def _parent(name: str, endpoint: Endpoint, parent: Parent, endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    declared = endpoints.get(parent.endpoint or "")
    if parent.endpoint is None and not parent.each:
        yield ("parent",), "name the endpoint that gives the rows, or list the values as each"
        return
    if parent.endpoint is not None and (
        declared is None or declared.nested_in is not None or _is_above(name, endpoints)
    ):
        yield ("parent", "endpoint"), f"{parent.endpoint!r} is no endpoint with a list of its own above this one"
        return
    if (parent.endpoint is None) == bool(parent.values):
        yield ("parent", "values"), "values are columns of parent.endpoint; name both or none of them"
    taken = {options.parent for options in endpoint.columns.values()}
    for placeholder, column in parent.fills().items():
        where = ("parent", "each" if placeholder in parent.each else "values", placeholder)
        if declared is not None and not declared.columns:
            continue
        if placeholder not in parent.each and column not in (declared.columns if declared else ()):
            yield where, f"{parent.endpoint} has no column {column!r}"
        elif column not in taken and endpoint.deletes == "full_scan":
            text = f"no column takes {column}, which says to which parent a row belongs; add one with"
            yield where, f"{text} {{parent: {column}}}, or write deletes: never"
    for column, options in endpoint.columns.items():
        kinds = {"integer": int, "string": str}
        if options.parent in parent.each and not all(
            isinstance(value, kinds.get(options.type, type(None))) for value in parent.each[options.parent]
        ):
            yield ("columns", column), f"it takes values of parent.each that aren't {options.type}"


def outer_diagnostics(name: str, endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    """Yield what is wrong with where an endpoint is that is declared without columns."""
    parent, nested = endpoint.parent, endpoint.nested_in
    if parent is not None:
        declared = endpoints.get(parent.endpoint or "")
        if parent.endpoint is not None and (
            declared is None or declared.nested_in is not None or _is_above(name, endpoints)
        ):
            yield ("parent", "endpoint"), f"{parent.endpoint!r} is no endpoint with a list of its own above this one"
        elif parent.endpoint is None and not parent.each:
            yield ("parent",), "name the endpoint that gives the rows, or list the values as each"
    if nested is not None:
        outer = endpoints.get(nested)
        if outer is None or outer.nested_in is not None:
            yield ("nested_in",), f"{nested!r} is no endpoint with a list of its own"
        if endpoint.records is None:
            yield ("nested_in",), "name the field of the record that has the list, as records"


def _is_above(name: str, endpoints: Mapping[str, Endpoint]) -> bool:
    """Return whether an endpoint is asked for its own rows, by whatever way."""
    above: set[str] = set()
    at: str | None = name
    while at is not None and at not in above:
        above.add(at)
        endpoint = endpoints.get(at)
        at = endpoint.parent.endpoint if endpoint is not None and endpoint.parent is not None else None
    return at is not None


def placeholder_diagnostics(endpoint: Endpoint) -> Diagnostics:
    """Yield placeholders that nothing fills, and values that fill none; a body may hold other braces, as of GraphQL."""
    own = set(endpoint.parent.fills()) if endpoint.parent else set()
    filled = own | {"today", "now"} | ({"since", "until"} if endpoint.incremental else set())
    for where, value in (("path", endpoint.path), ("params", endpoint.params), ("headers", endpoint.headers)):
        for missing in sorted(set(_PLACEHOLDER.findall(_text(value))) - filled):
            yield (where,), _missing(missing)
    for text in _texts(endpoint.body):
        alone = _PLACEHOLDER.fullmatch(text)
        if alone and alone[1] not in filled:
            yield ("body",), _missing(alone[1])
    for unused in sorted(own - used_by(endpoint)):
        where = "values" if endpoint.parent and unused in endpoint.parent.values else "each"
        yield ("parent", where, unused), f"nothing uses {{{unused}}}; write it into path, params, headers or body"


def used_by(endpoint: Endpoint) -> set[str]:
    """Return the placeholders that an endpoint has."""
    return set(_PLACEHOLDER.findall(_text([endpoint.path, endpoint.params, endpoint.headers, endpoint.body])))


def _missing(name: str) -> str:
    if name in ("since", "until"):
        return f"nothing fills {{{name}}}; declare incremental"
    return f"nothing fills {{{name}}}; add it to parent.values"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in inner:
        yield from _texts(each)


def _text(value: Any) -> str:
    return "\n".join(_texts(value))


def _nested(endpoint: Endpoint, endpoints: Mapping[str, Endpoint]) -> Diagnostics:
    outer = endpoints.get(endpoint.nested_in or "")
    if outer is None or outer.nested_in is not None:
        yield ("nested_in",), f"{endpoint.nested_in!r} is no endpoint with a list of its own"
    if endpoint.records is None:
        yield ("nested_in",), "name the field of the record that has the list, as records"
    if endpoint.moves_on() or endpoint.parent or not isinstance(endpoint.paging, OnePage):
        yield ("nested_in",), "the list comes with its records; leave paging, incremental, delta and parent out"
    taken = {options.parent for options in endpoint.columns.values() if options.parent}
    if outer and outer.key and not taken & set(outer.key):
        yield ("nested_in",), f"a column has to take the key of {endpoint.nested_in}: {{parent: {outer.key[0]}}}"
    scope = {name for name, options in outer.columns.items() if options.parent} if outer and outer.parent else set()
    if scope - taken and endpoint.deletes == "full_scan":
        column = sorted(scope - taken)[0]
        yield ("nested_in",), f"a column has to take {column} of {endpoint.nested_in}, or write deletes: never"
