"""Query: an editor for SQL, its rows, files of them, and queries that people save. It does what the API does."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from leat.catalog.site.contents import Entry
from leat.runs.access import Forbidden, Resource
from leat.runs.query_tables import resources_of_table, verb_of
from leat.runs.saved_queries import SavedQuery, TooManyQueries, delete_query, save_query, saved_queries, saved_query
from leat.serve.api.guard import AsGuard, Guard
from leat.serve.api.models import NewQuery
from leat.serve.api.queries import Answering, begin, end, rows_of, unless_gone
from leat.serve.pages.contents import contents_of
from leat.serve.pages.form import AsForm
from leat.serve.pages.query_error import QueryError, explained
from leat.serve.pages.render import HEADERS, page
from leat.serve.pages.route import PageRoute
from leat.serve.problem import Problem

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ROWS = (100, 1000, 5000)
"""How many rows a page may show."""
_FILES = {"csv": ("csv", "text/csv"), "json": ("json", "application/json")}
_SECONDS = 60.0
_FILE_ROWS = 1_000_000
Text = Annotated[str, Query(max_length=20_000)]


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of a query.

    Attributes:
        columns: their names.
        rows: the rows, as JSON has their values.
        cut: whether there are more.
        seconds: how long it took.
    """

    columns: list[str]
    rows: list[list[Any]]
    cut: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Editor:
    """What is in the editor, and what came of it.

    Attributes:
        sql: the query.
        saved: the saved query that was opened; None for none.
        most: how many rows to show.
        result: its rows; None before it was run.
        error: why there are none.
        status: of the response.
    """

    sql: str
    saved: SavedQuery | None = None
    most: int = ROWS[0]
    result: Result | None = None
    error: QueryError | None = None
    status: int = 200


@router.get("/query")
def show_editor(guard: AsGuard, request: Request, sql: Text = "") -> Response:
    """Show the editor; a query in the address isn't run before somebody presses the button."""
    guard.require("query", Resource("query"))
    return _page(guard, request, Editor(sql))


@router.post("/query")
async def run(guard: AsGuard, request: Request, form: AsForm) -> Response:
    """Run a query and show its rows."""
    guard.require("query", Resource("query"))
    sql, most = form.get("sql", ""), _rows_wanted(form)
    editor = Editor(sql, await run_in_threadpool(_opened, guard, form.get("id", "")), most)
    try:
        editor = replace(editor, result=await unless_gone(request, _result(guard, _asked(sql, most + 1), most)))
    except Forbidden as error:
        editor = replace(editor, error=explained(str(error), sql), status=403)
    except Problem as problem:
        if problem.status not in (422, 503):
            raise
        editor = replace(editor, error=explained(problem.detail, sql), status=problem.status)
    return await run_in_threadpool(_page, guard, request, editor)


@router.post("/query/file.{form_of}")
async def export(guard: AsGuard, request: Request, form_of: str, form: AsForm) -> Response:
    """Run a query and return all of its rows as a file."""
    guard.require("query", Resource("query"))
    if form_of not in _FILES:
        raise Problem(404, "no-such-form", "there is no such form", "save as CSV or JSON")
    body = _asked(form.get("sql", ""), _FILE_ROWS)
    name, kind = _FILES[form_of]
    process = await unless_gone(request, begin(guard, body, name, export=True))
    headers = {"content-disposition": f'attachment; filename="query.{form_of}"'}
    return Answering(process, body.seconds, kind, headers)


@router.get("/query/columns")
def list_columns(guard: AsGuard, request: Request, table: Text) -> Response:
    """Return the columns of a table, as a part of the page."""
    guard.require("query", Resource("query"))
    schema, _, name = table.partition(".")
    contents = contents_of(guard)
    columns = contents.columns.get((schema, name), []) if contents else []
    return page(request, "query_columns.html", columns=columns, schema=schema, table=name)


@router.post("/query/save")
def save(guard: AsGuard, form: AsForm) -> Response:
    """Save a query under a name."""
    guard.require("query", Resource("query"))
    name, sql = form.get("name", ""), form.get("sql", "")
    if not name or len(name) > 200 or not sql or len(sql) > 100_000:
        raise Problem(422, "invalid", "a saved query needs a name and its SQL", "go back and write both")
    try:
        saved = save_query(guard.workspace, guard.principal, name, sql)
    except TooManyQueries as error:
        raise Problem(409, "too-many-queries", str(error), "delete one that you don't need any more") from error
    return RedirectResponse(f"/query/{saved.id}?done=saved", 303, HEADERS)


@router.get("/query/{query_id}")
def show_saved(guard: AsGuard, request: Request, query_id: str) -> Response:
    """Show a saved query in the editor, to whoever has its address and may query."""
    guard.require("query", Resource("query"))
    saved = _opened(guard, query_id)
    if saved is None:
        raise Problem(404, "no-such-query", "there is no such query, or its owner has deleted it", "write another one")
    return _page(guard, request, Editor(saved.sql, saved))


@router.post("/query/{query_id}/delete")
def delete(guard: AsGuard, query_id: str) -> Response:
    """Delete a saved query of one's own."""
    guard.require("query", Resource("query"))
    saved = _opened(guard, query_id)
    if saved is None:
        raise Problem(404, "no-such-query", "there is no such query", "look at your queries")
    if not _may_delete(guard, saved):
        guard.require("administer", Resource("query", saved.id, owner=saved.owner))
    delete_query(guard.workspace, saved.id)
    return RedirectResponse("/query?done=deleted", 303, HEADERS)


def _page(guard: Guard, request: Request, editor: Editor) -> Response:
    saved = editor.saved
    return page(request, "query.html", editor.status, sql=editor.sql, saved=saved, most=editor.most, choices=ROWS,
                result=editor.result, error=editor.error, own=saved is not None and _may_delete(guard, saved),
                mine=saved_queries(guard.workspace, guard.principal), schemas=_schemas(guard),
                may_export=guard.may("export", Resource("query")))  # fmt: skip


def _schemas(guard: Guard) -> Mapping[str, list[Entry]]:
    """Return the tables that a caller may query, by schema."""
    contents = contents_of(guard)
    readable = {
        schema: [table for table in tables if _may_query(guard, schema, table["table_name"])]
        for schema, tables in (contents.schemas if contents else {}).items()
    }
    return {schema: tables for schema, tables in readable.items() if tables}


def _may_query(guard: Guard, schema: str, table: str) -> bool:
    return all(guard.may(verb_of(each), each) for each in resources_of_table(guard.workspace, schema, table))


def _opened(guard: Guard, query_id: str) -> SavedQuery | None:
    return saved_query(guard.workspace, query_id) if query_id else None


def _may_delete(guard: Guard, saved: SavedQuery) -> bool:
    own = saved.owner == guard.principal.person
    return own or guard.may("administer", Resource("query", saved.id, owner=saved.owner))


def _asked(sql: str, rows: int) -> NewQuery:
    if not sql or len(sql) > 100_000:
        raise Problem(422, "invalid", "there is no query", "write one SELECT")
    return NewQuery(sql=sql, seconds=_SECONDS, rows=rows)


def _rows_wanted(form: Mapping[str, str]) -> int:
    wanted = form.get("rows", "")
    return int(wanted) if wanted in map(str, ROWS) else ROWS[0]


async def _result(guard: Guard, body: NewQuery, most: int) -> Result:
    began = time.monotonic()
    process = await begin(guard, body, "table")
    try:
        text = b"".join([chunk async for chunk in rows_of(process, body.seconds)])
    except (RuntimeError, TimeoutError) as error:
        detail = str(error) or f"it took more than {body.seconds:g} seconds"
        raise Problem(422, "query-refused", f"the query was stopped: {detail}", "ask for less") from error
    finally:
        await end(process)
    columns, *rows = [json.loads(line) for line in text.splitlines()]
    return Result(columns, rows[:most], len(rows) > most, time.monotonic() - began)
