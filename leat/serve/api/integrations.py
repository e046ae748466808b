"""Integrations and their streams, runs, and runs that are asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from leat.runs import requests
from leat.runs.access import Resource, integrations
from leat.runs.history import recent_runs
from leat.runs.status import Status, read_status
from leat.runs.workspace import Workspace
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute, repeatable
from leat.serve.api.models import Integration, NewRun, RequestedRun, Run
from leat.serve.api.paging import Page, Paging, paging
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
Pages = Annotated[Paging, Depends(paging)]
_LOOK = 0.2
_ALIVE = 15.0  # seconds between comments, without which proxies close the connection


@router.get("/v1/integrations", tags=["integrations"])
@repeatable
def list_integrations(guard: AsGuard, request: Request, response: Response, pages: Pages) -> Page[Integration]:
    """List the declared integrations, with their last run and their streams as readers see them."""
    listed = [
        one
        for one in status_of(guard).integrations
        if guard.may("read", Resource("integration", one.integration, integration=one.integration))
    ]
    guard.require("read", Resource("overview"))
    data, cursor = pages.cut(request, response, listed, lambda one: one.integration)
    return Page(data=[Integration.model_validate(one) for one in data], next_cursor=cursor)


@router.get("/v1/integrations/{name}", tags=["integrations"])
@repeatable
def read_integration(guard: AsGuard, name: str) -> Integration:
    """Return one integration."""
    guard.require("read", Resource("integration", name, integration=name))
    for one in status_of(guard).integrations:
        if one.integration == name:
            return Integration.model_validate(one)
    raise _no_integration(name)


@router.get("/v1/runs", tags=["runs"])
@repeatable
def list_runs(
    guard: AsGuard,
    request: Request,
    response: Response,
    pages: Pages,
    integration: Annotated[str | None, Query(description="Only those of this one.")] = None,
) -> Page[Run]:
    """List runs, newest first."""
    guard.require("read", Resource("overview"))

    def read(after: str | None, limit: int) -> list[Any]:
        return recent_runs(guard.workspace, integration, limit, after)

    def visible(row: Any) -> bool:
        return guard.may("read", Resource("run", row.id, integration=row.integration))

    data, cursor = pages.follow(request, response, read, visible, lambda row: row.id)
    return Page(data=[Run.model_validate(row) for row in data], next_cursor=cursor)


@router.post("/v1/runs", status_code=202, tags=["runs"])
def request_run(guard: AsGuard, response: Response, body: NewRun) -> RequestedRun:
    """Ask for a run of integrations. The worker begins it at once; Location says where to look."""
    names = list(dict.fromkeys(body.integrations))
    guard.require("run", integrations(names))
    for name in names:
        if name not in guard.workspace.declarations:
            raise _no_integration(name)
    asked = requests.request_run(guard.workspace, names, guard.principal.name, full_refresh=body.full_refresh)
    response.headers["location"] = f"/v1/runs/{asked.id}"
    return RequestedRun.model_validate(asked)


@router.get("/v1/runs/{run_id}", tags=["runs"])
def read_run(guard: AsGuard, run_id: str) -> RequestedRun:
    """Return a run that was asked for."""
    return RequestedRun.model_validate(requested(guard, run_id))


@router.get("/v1/runs/{run_id}/events", tags=["runs"], response_class=StreamingResponse)
async def follow_run(
    guard: AsGuard,
    request: Request,
    run_id: str,
    last_event_id: Annotated[str, Header(pattern="^[0-9]{1,9}$")] = "0",
) -> Response:
    """Follow a run that was asked for, as server-sent events; `Last-Event-ID` continues."""
    await run_in_threadpool(requested, guard, run_id)
    ended = request.app.state.ended
    lines = _lines(guard.workspace, run_id, int(last_event_id), ended)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _lines(workspace: Workspace, run_id: str, after: int, ended: asyncio.Event) -> AsyncIterator[bytes]:
    quiet = 0.0
    while not ended.is_set():  # a connection that never ends would hold up a restart
        now = await run_in_threadpool(requests.read_request, workspace, run_id)
        lines = await run_in_threadpool(requests.read_lines, workspace, run_id, after)
        for number, line in lines:
            after, quiet = number, 0.0
            yield f"id: {number}\nevent: {line.get('event')}\ndata: {json.dumps(line, ensure_ascii=False)}\n\n".encode()
        if now is None or now.has_ended:
            state = None if now is None else now.state
            yield f"event: state\ndata: {json.dumps({'state': state, 'error': now and now.error})}\n\n".encode()
            return
        await asyncio.sleep(_LOOK)
        quiet += _LOOK
        if quiet > _ALIVE:
            quiet = 0.0
            yield b": still running\n\n"


def status_of(guard: Guard) -> Status:
    """Return how the project is, as of a second ago at most; the caller leaves out what mustn't be seen."""
    return guard.recent.get("status", lambda: read_status(guard.workspace))


def requested(guard: Guard, run_id: str) -> requests.RequestedRun:
    """Return a run that was asked for.

    Raises:
        Forbidden: the caller may not see one of its integrations.
        Problem: there is no such run.
    """
    asked = requests.read_request(guard.workspace, run_id)
    if asked is None:
        guard.require("read", Resource("overview"))
        raise Problem(404, "no-such-run", f"there is no run {run_id}", "POST /v1/runs asks for one")
    guard.require("read", [Resource("run", run_id, integration=name) for name in asked.integrations])
    return asked


def _no_integration(name: str) -> Problem:
    return Problem(404, "no-such-integration", f"no integration {name} is declared", "GET /v1/integrations lists them")
