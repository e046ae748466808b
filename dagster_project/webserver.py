"""Dagster's web server behind leat: it answers only what leat's web process has signed, and permits what that says.

What may be changed is decided twice by the same rules, :mod:`leat.runs.dagster_graphql`: in the web process, and here.
Dagster's own permissions say the same, so that its pages disable their buttons.
"""

from __future__ import annotations

import time
from asyncio import Task
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import (
    LOCATION_SCOPED_PERMISSIONS,
    PermissionResult,
    Permissions,
)
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.websockets import WebSocket

from leat.runs.dagster_graphql import Operation, Unreadable, read_operation
from leat.runs.dagster_process import GRAPHQL, HEADER, PREFIX, May, vouched

if TYPE_CHECKING:
    from graphql import GraphQLFormattedError

MAY_RUN = frozenset({
    Permissions.LAUNCH_PIPELINE_EXECUTION, Permissions.LAUNCH_PIPELINE_REEXECUTION,
    Permissions.TERMINATE_PIPELINE_EXECUTION,
    Permissions.RELOAD_REPOSITORY_LOCATION, Permissions.RELOAD_WORKSPACE,
})  # fmt: skip
"""What whoever may run everything may do; nobody may do the rest."""
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "manifest-src 'self'; media-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The content security policy of Dagster's pages, which need styles inline."""
REFUSED = "this isn't permitted here"
_POLL = 2000  # milliseconds

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class _Context(WorkspaceRequestContext):
    """The context of a request, with the permissions that leat gives."""

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What may be done, by Dagster's names."""
        return {name: self._permission(name) for name in Permissions}

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """Return what may be done with a part of the project: the same."""
        return {name: self._permission(name) for name in LOCATION_SCOPED_PERMISSIONS}

    def _permission(self, name: Permissions) -> PermissionResult:
        if name not in MAY_RUN:
            return PermissionResult(False, "Not here: leat does this itself, or it would change the history")
        if self.read_only:
            return PermissionResult(False, "You may see this, not change it: leat's policies decide")
        return PermissionResult(True, None)


class Webserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's web server, with what a request may do taken from :class:`Entrance`."""

    @classmethod
    def of(cls, context: WorkspaceProcessContext) -> Webserver:
        """Return the one of a project."""
        return cls(context, PREFIX, _POLL)

    def _make_request_context(self, conn: HTTPConnection) -> WorkspaceRequestContext:
        process = self._process_context
        may: May = conn.scope["leat_may"]
        return _Context(
            process.instance, process.get_current_workspace(), process, process.version, conn, read_only=may != "run"
        )

    async def execute_graphql_request(
        self, request: Request, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> JSONResponse:
        """Answer an operation, unless it changes what it may not."""
        operation = _read(query, variables, operation_name)
        may_change = operation is not None and request.scope["leat_may"] == "run" and operation.refusal is None
        if operation is None or (operation.kind != "query" and not may_change):
            return JSONResponse({"data": None, "errors": [{"message": REFUSED}]}, 403)
        return await super().execute_graphql_request(request, query, variables, operation_name)

    async def execute_graphql_subscription(
        self, websocket: WebSocket, operation_id: str, query: str, variables: dict[str, Any] | None,
        operation_name: str | None,
    ) -> tuple[Task[Any] | None, GraphQLFormattedError | None]:  # fmt: skip
        """Answer a subscription, and nothing else."""
        operation = _read(query, variables, operation_name)
        if operation is None or operation.kind != "subscription":
            return None, {"message": REFUSED}
        return await super().execute_graphql_subscription(websocket, operation_id, query, variables, operation_name)

    def make_csp_header(self, nonce: str) -> str:
        """Return the policy of a page."""
        return POLICY.format(nonce=nonce)


def _read(query: str, variables: dict[str, Any] | None, name: str | None) -> Operation | None:
    try:
        return read_operation({"query": query, "variables": variables, "operationName": name})
    except Unreadable:
        return None


class Entrance:
    """Lets in what leat's web process has signed, and notes when that was.

    Args:
        app: answers what is let in.
        key: what requests are signed with.
    """

    def __init__(self, app: App, key: bytes) -> None:
        self._app, self._key = app, key
        self._last, self._open = time.monotonic(), 0

    def idle_seconds(self) -> float:
        """Return for how long nobody has asked for anything."""
        return 0.0 if self._open else time.monotonic() - self._last

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request, or refuse it."""
        is_socket = scope["type"] == "websocket"
        method = "WS" if is_socket else scope["method"]
        header = dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1")
        may = vouched(self._key, header, method, scope["path"])
        if may is None or (method in {"POST", "WS"}) != (scope["path"] == GRAPHQL):
            if is_socket:
                await send({"type": "websocket.close", "code": 1008})
            else:
                await PlainTextResponse("this is for leat's web process", 403)(scope, receive, send)
            return
        scope["leat_may"] = may
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()
