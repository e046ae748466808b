"""What to declare for an endpoint without columns: inferred from its records, as YAML."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from leat.sources.http.request import HttpRequest
from leat.sources.json_path import write_path
from leat.sources.rest_api.answers.shapes import nested_entries
from leat.sources.rest_api.declaration.column import ColumnOptions
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.declaration.paging_styles import Offset, OnePage, Pages
from leat.sources.rest_api.preview.first_pages import Brief, Seen, read_some
from leat.sources.rest_api.preview.infer_columns import growing_columns, infer_columns, infer_key, value_of
from leat.sources.rest_api.preview.infer_paging import find_list, likely_paging
from leat.sources.rest_api.rows.records import open_list
from leat.sources.sample import Sample

_TRIES = 3
_NO_KEY = "no field has another value in each record: name as key the columns that identify a row"


def completed(brief: Brief, endpoint: Endpoint, ask: HttpRequest, seen: Seen) -> tuple[Endpoint, Seen, tuple[str, ...]]:
    """Return an endpoint with all that can be read from its first pages, those pages, and what else to know."""
    if not seen.pages and endpoint.records is None:
        endpoint, seen = _with_records(brief, endpoint, ask, seen)
    records = _parsed(item for page in seen.pages for item in page.items)
    key = infer_key([records], infer_columns(records))
    if isinstance(endpoint.paging, OnePage) and seen.pages:
        endpoint, seen = _with_paging(brief, endpoint, ask, seen, key)
        records = _parsed(item for page in seen.pages for item in page.items)
    whole = _with_columns(endpoint, [records])
    return whole, seen, tuple(_notes(whole, records))


def with_parent(endpoint: Endpoint, name: str, outer: Endpoint | None, wanted: Collection[str] = ()) -> Endpoint:
    """Return an endpoint with columns for the values that distinguish rows of one parent from those of another.

    Args:
        endpoint: the endpoint that is asked for each row of another, or nested in its records.
        name: of the other.
        outer: the other; None where the declaration lists all values.
        wanted: names of columns that those below this one ask for, and no field has.
    """
    parent = endpoint.parent
    each = {column: values[0] for column, values in (parent.each if parent else {}).items()}
    named = parent.values.values() if parent else outer.key if outer else ()
    columns = outer.columns if outer else {}
    there = [column for column in named if column in columns]
    one = next(iter(wanted), None) if len(wanted) == len(there) == 1 else None
    taken = {
        one or f"{_singular(name)}_{column}": ColumnOptions(type=columns[column].type, parent=column)
        for column in there
    }
    taken |= {
        column: ColumnOptions(type="integer" if isinstance(value, int) else "string", parent=column)
        for column, value in each.items()
    }
    return endpoint.model_copy(update={"columns": {**taken, **endpoint.columns}, "key": (*taken, *endpoint.key)})


def _singular(name: str) -> str:
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def with_outer(name: str, endpoint: Endpoint, of: str, outer: Endpoint, seen: Seen) -> Sample:
    """Return a sample of a list in the records of another endpoint, which is declared without columns."""
    lists = [
        _parsed(nested_entries(endpoint, record.reach(endpoint.records_path())))
        for page in seen.pages
        for record in open_list(outer, bytes(page.records), {})
    ]
    records = [record for listed in lists for record in listed]
    inner = _with_columns(endpoint, lists)
    whole = with_parent(inner, of, outer)
    words = f"{len(records):,} records in those of {of}"
    return Sample(name, words, proposed=propose(name, whole), notes=tuple(_notes(inner, records)))


def propose(name: str, endpoint: Endpoint) -> str:
    """Return an endpoint as YAML."""
    said = endpoint.model_dump(mode="json", exclude_defaults=True)
    columns = said.pop("columns", {})
    lines = [f"{name}:", *(f"  {key}: {_flow(_short(value))}" for key, value in said.items())]
    if columns:
        lines += ["  columns:", *(f"    {_flow(column)}: {_flow(_short(value))}" for column, value in columns.items())]
    growing = growing_columns(endpoint.columns) if endpoint.parent is None and not endpoint.nested_in else []
    if growing and endpoint.incremental is None:
        others = f" (or {', '.join(growing[1:])})" if growing[1:] else ""
        lines.append(f"  # incremental: {{column: {growing[0]}, param: …}}{others}  if the API has such a parameter")
    return "\n".join(lines)


def _with_records(brief: Brief, endpoint: Endpoint, ask: HttpRequest, seen: Seen) -> tuple[Endpoint, Seen]:
    """Return the same with the list where the first answer has one."""
    try:
        answer = json.loads(brief.last.body) if brief.last else None
    except (ValueError, RecursionError):
        return endpoint, seen
    path = find_list(answer)
    if path:
        changed = endpoint.model_copy(update={"records": write_path(path)})
    elif isinstance(answer, dict) and path is None and seen.error is not None and answer:
        changed = endpoint.model_copy(update={"single": True})
    else:
        return endpoint, seen
    return changed, read_some(brief, changed, ask)


def _with_paging(
    brief: Brief, endpoint: Endpoint, ask: HttpRequest, seen: Seen, key: tuple[str, ...]
) -> tuple[Endpoint, Seen]:
    """Return the same with a style of paging that leads to a second page; unchanged where none does."""
    columns = infer_columns(_parsed(seen.pages[0].items))
    named = endpoint.model_copy(update={"columns": columns})
    for style in itertools.islice(likely_paging(seen.pages[0], named, key), _TRIES):
        paged = endpoint.model_copy(update={"paging": style})
        if isinstance(style, Pages | Offset) and style.total is None:
            paged = paged.model_copy(update={"deletes": "never"})
        read = read_some(brief, paged, ask)
        if _leads_on(read):
            return paged, read
    return endpoint, seen


def _leads_on(read: Seen) -> bool:
    return read.error is None and len(read.pages) > 1 and not read.pages[1].is_empty


def _with_columns(endpoint: Endpoint, lists: list[list[Mapping[str, Any]]]) -> Endpoint:
    """Return the same with columns for the records of lists, where the key differs in each."""
    columns = infer_columns([record for records in lists for record in records])
    return endpoint.model_copy(update={"columns": columns, "key": endpoint.key or infer_key(lists, columns)})


def _notes(endpoint: Endpoint, records: list[Mapping[str, Any]]) -> Iterator[str]:
    named = endpoint.columns.items()
    empty = [name for name, options in named if all(value_of(record, name, options) is None for record in records)]
    if empty:
        yield f"without a value in all that was read, so that their type is a guess: {', '.join(empty)}"
    if records and not endpoint.key:
        yield _NO_KEY


def _parsed(items: Any) -> list[Mapping[str, Any]]:
    """Return records as far as they are objects that can be parsed."""
    result: list[Mapping[str, Any]] = []
    for item in items:
        try:
            value = json.loads(bytes(item))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            result.append(value)
    return result


def _short(value: Any) -> Any:
    """Return a value as one writes it: a column's type alone, the one column of a key."""
    if isinstance(value, dict) and value.keys() == {"type"}:
        return value["type"]
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


def _flow(value: Any) -> str:
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
