"""The WebSocket of Dagster's UI: subscriptions of GraphQL, by which it shows the log of a run as it grows.

What the browser sends is read message by message; only subscriptions pass. See
https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md, the protocol that Dagster speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import Any

from fastapi import Request, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from leat.runs import callers
from leat.runs.access import Principal
from leat.runs.dagster_graphql import read_operation
from leat.runs.dagster_process import GRAPHQL
from leat.runs.workspace import Workspace
from leat.serve.api.guard import Guard, authenticate
from leat.serve.dagster_ui.process import DagsterProcess
from leat.serve.dagster_ui.rights import rights_of
from leat.serve.problem import Problem
from leat.serve.session import of_own_pages, renew_cookie, session_id_of

log = logging.getLogger("leat.serve")

PROTOCOL = "graphql-ws"
STREAMS = 20
"""So many may one person have open."""
_SUBSCRIPTIONS = 100  # of one WebSocket
LOOK_SECONDS = 30.0
"""How often leat looks whether whoever opened it may still see it."""
_REFUSED, _AGAIN = 1008, 1013


class _OutOfTurn(ValueError):
    """A message that the browser isn't to send."""


async def pass_on(websocket: WebSocket, process: DagsterProcess | None) -> None:
    """Connect a browser with Dagster's process, if its page is leat's own and the person may see it."""
    request = Request({**websocket.scope, "type": "http", "method": "GET"})
    guard = await run_in_threadpool(_guard_of, request)
    may = None if guard is None else rights_of(guard.workspace, guard.principal)
    person = "" if guard is None else guard.principal.person
    if guard is None or may is None or process is None or process.streams.get(person, 0) >= STREAMS:
        await websocket.close(_REFUSED)
        return
    process.streams[person] = process.streams.get(person, 0) + 1
    try:
        async with process.connect(may, GRAPHQL, PROTOCOL) as inner:
            cookie = renew_cookie(request, Response()).raw_headers
            await websocket.accept(PROTOCOL, [each for each in cookie if each[0] == b"set-cookie"])
            await _both_ways(websocket, inner, request, guard)
    except (OSError, WebSocketException):  # it isn't running, or has ended
        await _close(websocket, _AGAIN)
    finally:
        process.streams[person] -= 1
        if not process.streams[person]:
            del process.streams[person]


def _guard_of(request: Request) -> Guard | None:
    """Return the guard of whoever opens a WebSocket by a page of leat; None if a page of another site does."""
    if not of_own_pages(request) or PROTOCOL not in request.scope.get("subprotocols", ()):
        return None
    try:
        return authenticate(request)
    except Problem:
        return None


async def _both_ways(websocket: WebSocket, inner: ClientConnection, request: Request, guard: Guard) -> None:
    """Pass messages on until one side closes, or the person may not see it any more."""
    ended: asyncio.Event = request.app.state.ended
    tasks = [asyncio.create_task(each) for each in (
        _inwards(websocket, inner), _outwards(websocket, inner), _until_lost(request, guard.principal), ended.wait(),
    )]  # fmt: skip
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    code = _AGAIN
    for task in done:
        error = task.exception()
        if isinstance(error, ValueError | RecursionError):
            code = _REFUSED
        elif error is not None and not isinstance(error, WebSocketDisconnect | WebSocketException):
            raise error
    await _close(websocket, code)


async def _close(websocket: WebSocket, code: int) -> None:
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the browser has closed it first
        await websocket.close(code)


async def _inwards(websocket: WebSocket, inner: ClientConnection) -> None:
    running: set[str] = set()
    while True:
        message = _checked(await websocket.receive_text(), running)
        await inner.send(json.dumps(message))


async def _outwards(websocket: WebSocket, inner: ClientConnection) -> None:
    async for message in inner:
        await websocket.send_text(message if isinstance(message, str) else message.decode())


def _checked(text: str, running: set[str]) -> dict[str, Any]:
    """Return what a message says, and nothing else that it may have.

    Raises:
        ValueError: it isn't one of the protocol, does something else than subscribe, or there are too many.
    """
    message = json.loads(text)
    if not isinstance(message, dict):
        raise _OutOfTurn
    kind, name = message.get("type"), message.get("id")
    if kind in {"connection_init", "connection_terminate"}:
        return {"type": kind}
    if not isinstance(name, str) or len(name) > 100:
        raise _OutOfTurn
    if kind == "stop":
        running.discard(name)
        return {"type": kind, "id": name}
    operation = read_operation(message.get("payload"))
    if kind != "start" or operation.kind != "subscription" or len(running) >= _SUBSCRIPTIONS:
        raise _OutOfTurn
    running.add(name)
    return {"type": kind, "id": name, "payload": operation.payload}


async def _until_lost(request: Request, principal: Principal) -> None:
    """Return when the person isn't signed in any more, or may not see it any more."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not await run_in_threadpool(_may_still, request, principal):
            return


def _may_still(request: Request, principal: Principal) -> bool:
    workspace: Workspace = request.app.state.current.workspace()
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        now = callers.principal_of_token(workspace, token.strip())
    else:
        given = getattr(request.state, "session_id", None) or session_id_of(request)
        current = None if given is None else callers.session_of(workspace, given)
        now = None if current is None or current.must_rotate else current.principal
    return now == principal and rights_of(workspace, principal) is not None
