"""The catalog: systems, their tables and columns with their meaning, where values come from, and what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from leat.catalog.site.contents import Contents, Entry, Name
from leat.catalog.site.lineage import picture
from leat.runs.access import Resource
from leat.runs.catalog_entries import table_resource
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.pages.contents import all_inputs, contents_of, inputs_of
from leat.serve.pages.render import page, part_of
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_KINDS = {"analytics": "models", "leat": "what leat stores about loads, checks and rules", "catalog": "this catalog"}
_DELETES = {
    "feed": "the system reports deletes",
    "full_scan": "a complete listing proves which rows are gone",
    "never": "rows are never deleted",
}
_COLUMNS = 6
Word = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Hit:
    """A table that a search matches, with the columns of it that match."""

    table: Entry
    columns: list[Entry]


@router.get("/catalog")
def show_catalog(
    guard: AsGuard, request: Request, q: Word = "", number: Annotated[int, Query(alias="page")] = 1
) -> Response:
    """Show the systems, or what a search matches."""
    guard.require("read", Resource("catalog"))
    contents = contents_of(guard)
    tables = visible(guard, contents) if contents else {}
    hits = list(_hits(contents, tables, q)) if contents and q.strip() else []
    schemas = _by_schema(contents, tables) if contents else {}
    inputs = {each.integration: each for each in all_inputs(guard)} if contents and not q.strip() else {}
    return page(request, "catalog.html", q=q, part=part_of(hits, number), schemas=schemas, kinds=_KINDS, inputs=inputs,
                integrations=contents.integrations if contents else {}, loaded=contents is not None)  # fmt: skip


@router.get("/catalog/{schema}")
def show_schema(guard: AsGuard, request: Request, schema: str) -> Response:
    """Show the tables of a system."""
    contents = _contents(guard)
    if schema not in contents.schemas:
        raise Problem(404, "no-such-schema", f"there is no schema {schema}", "look at the catalog")
    tables = _by_schema(contents, visible(guard, contents)).get(schema)
    if tables is None:
        guard.require("read", [table_resource(entry) for entry in contents.schemas[schema]])
    return page(request, "catalog_schema.html", schema=schema, tables=tables or [],
                integration=contents.integrations.get(schema), kind=_KINDS.get(schema),
                inputs=inputs_of(guard, contents, [(schema, "")]))  # fmt: skip


@router.get("/catalog/{schema}/{table}")
def show_table(guard: AsGuard, request: Request, schema: str, table: str) -> Response:
    """Show a table: its columns, its lineage, its checks and the rules that read it."""
    contents, name = _contents(guard), (schema, table)
    if name not in contents.tables:
        raise Problem(404, "no-such-table", f"there is no table {schema}.{table}", "search the catalog")
    entry = contents.tables[name]
    guard.require("read", table_resource(entry))
    there = visible(guard, contents)
    reads, read_by = ({each: [other for other in others if other in there] for each, others in edges.items()}
                      for edges in (contents.reads, contents.read_by))  # fmt: skip
    return page(request, "catalog_table.html", schema=schema, table=entry, columns=contents.columns.get(name, []),
                origins=_origins(contents, name), there=there, deletes=_DELETES, fresh=contents.freshness.get(name),
                picture=picture(name, reads, read_by), reads=reads.get(name, []), read_by=read_by.get(name, []),
                checks=contents.checks.get(name, []), rules=contents.rules.get(name, []),
                loads=contents.loads.get(name, []), sql=_sql(guard, entry),
                inputs=inputs_of(guard, contents, [name]), may_query=guard.may("query", Resource("query")),
                query_at="/query?" + urlencode({"sql": entry["example_query"] or ""}))  # fmt: skip


def visible(guard: Guard, contents: Contents) -> dict[Name, Entry]:
    """Return the tables whose meaning a caller may see."""
    return {name: entry for name, entry in contents.tables.items() if guard.may("read", table_resource(entry))}


def _contents(guard: Guard) -> Contents:
    """Return the catalog.

    Raises:
        Problem: nothing was loaded yet.
    """
    guard.require("read", Resource("catalog"))
    contents = contents_of(guard)
    if contents is None:
        raise Problem(404, "nothing-published", "nothing was loaded yet", "run an integration first")
    return contents


def _by_schema(contents: Contents, tables: Mapping[Name, Entry]) -> dict[str, list[Entry]]:
    listed = {
        schema: [entry for entry in entries if (schema, entry["table_name"]) in tables]
        for schema, entries in contents.schemas.items()
    }
    return {schema: entries for schema, entries in listed.items() if entries}


def _origins(contents: Contents, name: Name) -> dict[str, list[tuple[str, str, str]]]:
    """Return where the values of each column of a table come from."""
    return {column: origins for (*table, column), origins in contents.origins.items() if tuple(table) == name}


def _sql(guard: Guard, entry: Entry) -> str | None:
    """Return the SQL of a model as its file has it, without the header."""
    path = guard.workspace.project.folder / "assets" / "models" / f"{entry['table_name']}.sql"
    if entry["kind"] != "model" or not path.exists():
        return None
    return path.read_text(encoding="utf-8").rpartition("--- */")[2].strip()


def _hits(contents: Contents, tables: Mapping[Name, Entry], q: str) -> Iterator[Hit]:
    """Yield the tables that have all words of a search, in their own entry or in one of their columns."""
    words = q.casefold().replace("_", " ").split()
    matched: list[tuple[int, Hit]] = []
    for name, table in tables.items():
        listed = contents.columns.get(name, [])
        columns = [each for each in listed if _has(words, each["column_name"], each["description"])]
        if _has(words, *name):
            matched.append((0, Hit(table, columns[:_COLUMNS])))
        elif columns or _has(words, *name, table["description"]):
            matched.append((1 if columns else 2, Hit(table, columns[:_COLUMNS])))
    yield from (hit for _, hit in sorted(matched, key=lambda each: each[0]))


def _has(words: list[str], *texts: str | None) -> bool:
    text = " ".join(each for each in texts if each).casefold().replace("_", " ")
    return all(word in text for word in words)
