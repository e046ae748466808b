"""Dagster's UI: what the process of Dagster answers, or the page that waits for it."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from leat.runs import access, callers
from leat.runs.dagster_graphql import Operation, Unreadable, read_operation
from leat.runs.dagster_process import GRAPHQL, PREFIX, May
from leat.serve.api.guard import AsGuard, Guard, Handler, answered, authenticate
from leat.serve.dagster_ui.process import DagsterProcess, NotRunning
from leat.serve.dagster_ui.requests import answer_of
from leat.serve.dagster_ui.rights import UI, needed, rights_of
from leat.serve.dagster_ui.stream import pass_on
from leat.serve.pages.render import HEADERS, page
from leat.serve.pages.route import PageRoute, wants_page
from leat.serve.problem import Problem
from leat.serve.session import renew_cookie

_CLOSED = ("graphql", "notebook", "dagit/")
"""Paths that answer no GET: operations by GET, and a file of the server that a query names."""


class DagsterRoute(PageRoute):
    """A page for a browser that shows it; for what Dagster's page loads, errors as the API has them."""

    def get_route_handler(self) -> Handler:
        """Wrap the handler."""
        shown, handler = super().get_route_handler(), APIRoute.get_route_handler(self)

        async def either(request: Request) -> Response:
            if wants_page(request):
                return await shown(request)
            guard = await run_in_threadpool(authenticate, request)
            request.state.guard = guard
            with callers.acting_as(guard.principal):
                return renew_cookie(request, await answered(request, guard, handler))

        return either


router = APIRouter(route_class=DagsterRoute, include_in_schema=False)


@router.get(PREFIX)
def show_root(guard: AsGuard) -> Response:
    """Lead to the UI."""
    guard.require("read", UI)
    return RedirectResponse(f"{PREFIX}/", 307, HEADERS)


@router.get(f"{PREFIX}/start")
async def read_start(guard: AsGuard, request: Request) -> Response:
    """Say whether the page has to wait on."""
    may = await run_in_threadpool(_require, guard, recorded=False)
    process = _process(request)
    return JSONResponse({"starting": not await process.answers(may) and process.failure is None})


@router.get(f"{PREFIX}/{{path:path}}")
async def show(guard: AsGuard, request: Request, path: str) -> Response:
    """Show the UI, or what is in its way."""
    may = await run_in_threadpool(_require, guard, recorded=wants_page(request))
    if path.startswith(_CLOSED):
        raise Problem(405, "method-not-allowed", "this path takes no GET", headers={"allow": "POST"})
    process = _process(request)
    try:
        return await answer_of(request, process, may)
    except NotRunning:
        return _waiting(request, process)


@router.post(f"{PREFIX}/start")
def start_again(guard: AsGuard, request: Request) -> Response:
    """Try again to start what couldn't start."""
    _require(guard, recorded=True)
    _process(request).start_again()
    return RedirectResponse(f"{PREFIX}/", 303, HEADERS)


@router.post(GRAPHQL)
async def operate(guard: AsGuard, request: Request) -> Response:
    """Answer an operation of GraphQL."""
    may = await run_in_threadpool(_require, guard, recorded=False)
    operation = _read(request.headers.get("content-type", ""), await request.body())
    if operation.kind != "query":
        await run_in_threadpool(_require_change, guard, operation)
    process = _process(request)
    try:
        return await answer_of(request, process, may, json.dumps(operation.payload).encode())
    except NotRunning:
        return _waiting(request, process)


@router.websocket(GRAPHQL)
async def follow(websocket: WebSocket) -> None:
    """Answer subscriptions of GraphQL."""
    await pass_on(websocket, websocket.app.state.dagster)


def _read(content_type: str, body: bytes) -> Operation:
    """Return what the body of a request does.

    Raises:
        Problem: it isn't one operation of GraphQL in JSON.
    """
    step = "send one operation of GraphQL as JSON"
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "not-json", "a request of GraphQL is application/json here", step)
    try:
        return read_operation(json.loads(body))
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, Unreadable) else "the request isn't JSON"
        raise Problem(400, "no-graphql", why, step) from error


def _require(guard: Guard, *, recorded: bool) -> May:
    """Return what somebody may do; what a page loads isn't recorded again.

    Raises:
        Forbidden: they may not see the UI.
    """
    may = rights_of(guard.workspace, guard.principal)
    if recorded or may is None:
        guard.require("read", UI)
    guard.asked = True
    return may or "read"


def _require_change(guard: Guard, operation: Operation) -> None:
    """Record a mutation that is allowed, or refuse it.

    Raises:
        Forbidden: the person may not run something that it could run.
        Problem: leat refuses it whoever asks.
    """
    detail = {"fields": list(operation.fields), "concerns": operation.concerns}
    guard.require("run", needed(guard.workspace))
    refusal = operation.refusal
    if operation.kind == "subscription":
        refusal = "a subscription goes over a WebSocket"
    if refusal is not None:
        access.record(guard.workspace, "dagster.refused", detail, guard.principal)
        raise Problem(403, "forbidden", refusal, "use the pages of leat, or its command line")
    access.record(guard.workspace, "dagster.changed", detail, guard.principal)


def _process(request: Request) -> DagsterProcess:
    process: DagsterProcess | None = request.app.state.dagster
    if process is None:
        raise Problem(503, "no-dagster", "this server has no Dagster", "start `leat serve`")
    return process


def _waiting(request: Request, process: DagsterProcess) -> Response:
    """Return the page that waits for the process, or says why it couldn't start.

    Raises:
        Problem: the same, for what isn't a page.
    """
    failure = process.failure
    if failure is None:
        process.want()
    if wants_page(request):
        return page(request, "dagster.html", 202 if failure is None else 502, failure=failure)
    if failure is not None:
        raise Problem(502, "dagster-failed", f"Dagster couldn't start: {failure[0]}", failure[1])
    raise Problem(503, "dagster-starting", "Dagster is starting", "retry later", headers={"retry-after": "2"})
