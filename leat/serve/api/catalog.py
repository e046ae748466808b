"""The catalog: tables that readers see, their columns, their checks, and what they are made of."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from leat.catalog.site.contents import Contents
from leat.runs.access import Resource
from leat.runs.catalog_entries import published_version, read_catalog, table_resource
from leat.serve.api.catalog_models import Column, Edge, Table, TableDetails
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute, repeatable
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]


@router.get("/v1/tables", tags=["catalog"])
@repeatable
def list_tables(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    schema: Annotated[str | None, Query(max_length=200, description="Only those of this schema.")] = None,
    kind: Annotated[str | None, Query(max_length=200, description="`stream`, `history`, `model`, `engine`, …")] = None,
) -> Page[Table]:
    """List the tables that readers see."""
    guard.require("read", Resource("overview"))
    listed = [
        entry
        for entry in _catalog(guard).rows["tables"]
        if schema in (None, entry["schema_name"])
        and kind in (None, entry["kind"])
        and guard.may("read", table_resource(entry))
    ]
    data, cursor = pages.cut(request, response, listed, lambda entry: f"{entry['schema_name']}.{entry['table_name']}")
    return Page(data=[Table.model_validate(entry) for entry in data], next_cursor=cursor)


@router.get("/v1/tables/{schema}.{table}", tags=["catalog"])
@repeatable
def read_table(guard: AsGuard, schema: str, table: str) -> TableDetails:
    """Return one table with its columns and checks, and the tables that it is made of and that are made of it."""
    catalog, name = _catalog(guard), (schema, table)
    entry = catalog.tables.get(name)
    if entry is None:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-table", f"there is no table {schema}.{table}", "GET /v1/tables lists them")
    guard.require("read", table_resource(entry))
    return TableDetails.model_validate({
        **entry,
        "columns": [Column.model_validate(each) for each in catalog.columns.get(name, ())],
        "checks": catalog.checks.get(name, ()),
        "reads": [".".join(each) for each in catalog.reads.get(name, ()) if _visible(guard, catalog, each)],
        "read_by": [".".join(each) for each in catalog.read_by.get(name, ()) if _visible(guard, catalog, each)],
    })  # fmt: skip


@router.get("/v1/lineage", tags=["catalog"])
@repeatable
def list_lineage(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    table: Annotated[str | None, Query(max_length=200, description="Only from or to this `schema.table`.")] = None,
) -> Page[Edge]:
    """List where values come from: from column to column, or from table to table when both columns are null."""
    guard.require("read", Resource("overview"))
    catalog = _catalog(guard)
    edges = [Edge.model_validate(each) for each in catalog.rows["lineage"]]
    wanted = [
        edge
        for edge in edges
        if (table is None or table in (f"{edge.from_schema}.{edge.from_table}", f"{edge.to_schema}.{edge.to_table}"))
        and _visible(guard, catalog, (edge.from_schema, edge.from_table))
        and _visible(guard, catalog, (edge.to_schema, edge.to_table))
    ]
    data, cursor = pages.cut(
        request, response, wanted, lambda edge: sha256(edge.model_dump_json().encode()).hexdigest()
    )
    return Page(data=data, next_cursor=cursor)


def _catalog(guard: Guard) -> Contents:
    return guard.recent.get(
        "catalog", lambda: read_catalog(guard.workspace), version=published_version(guard.workspace)
    )


def _visible(guard: Guard, catalog: Contents, name: tuple[str, str]) -> bool:
    entry = catalog.tables.get(name)
    return entry is not None and guard.may("read", table_resource(entry))
