"""``POST /v1/queries``: one SELECT on what readers see, in a process of its own that is killed when nobody waits."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leat.runs.access import Resource
from leat.runs.decryption import NOTHING, Permitted, permitted
from leat.runs.granting import query_role
from leat.runs.query_tables import Unreadable, resources_of, verb_of
from leat.serve.api.guard import AsGuard, Guard, GuardedRoute
from leat.serve.api.models import NewQuery
from leat.serve.problem import Problem

router = APIRouter(route_class=GuardedRoute)
T = TypeVar("T")
FORMS = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
}
READ = 10_000
"""More rows than this are an export, whatever their form."""
_MOST = 64_000_000
_CHUNK = 65_536
_AT_ONCE = asyncio.Semaphore(4)
_GRACE = 5.0


@router.post(
    "/v1/queries",
    tags=["queries"],
    response_class=StreamingResponse,
    responses={200: {"description": "The rows.", "content": {kind: {} for kind in FORMS}}},
)
async def run_query(
    guard: AsGuard, request: Request, body: NewQuery, accept: Annotated[str, Header()] = "application/json"
) -> Response:
    """Run one SELECT or EXPLAIN. Accept chooses JSON, NDJSON, CSV or an Arrow stream.

    Other forms than JSON, and more than 10,000 rows, need the right to export.

    A response that was cut off ends without its last chunk, so that clients notice. To cancel, close the connection.
    """
    kind = _kind(accept)
    export = kind != "application/json" or body.rows > READ
    process = await unless_gone(request, begin(guard, body, FORMS[kind], export=export))
    return Answering(process, body.seconds, kind)


async def begin(guard: Guard, body: NewQuery, form: str, *, export: bool = False) -> asyncio.subprocess.Process:
    """Start the process of a query and return it as soon as it has rows; whoever gets it ends it by :func:`end`.

    Args:
        guard: the caller.
        body: the query.
        form: one of those of :mod:`leat.serve.query`.
        export: whether the rows are taken away, which is another right than to read them.

    Raises:
        Forbidden: the caller may not query one of the tables, or not export its rows.
        Problem: the query is refused, or too many are running.
    """
    decrypts = await run_in_threadpool(lambda: allow(guard, body.sql, export=export))
    if _AT_ONCE.locked():
        raise Problem(503, "busy", "four queries are running", "retry later", headers={"retry-after": "2"})
    await _AT_ONCE.acquire()
    try:
        process = await _start(guard, body, form, decrypts)
        head = await _head(process, body.seconds)
    except BaseException:
        _AT_ONCE.release()
        raise
    if "error" in head:
        await end(process)
        raise Problem(422, "query-refused", head["error"], "GET /v1/integrations lists what there is to read")
    return process


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; cancel it when the client closes the connection."""
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Problem(400, "cancelled", "the client closed the connection")
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Answering(StreamingResponse):
    """The rows of a query; its process ends with the response, also when the client went before the first row."""

    def __init__(
        self, process: asyncio.subprocess.Process, seconds: float, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(rows_of(process, seconds), media_type=kind, headers=headers)
        self._process = process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the rows."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await end(self._process)


def _kind(accept: str) -> str:
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in FORMS:
            return kind
        if kind in ("*/*", "application/*"):
            return "application/json"
    raise Problem(406, "not-acceptable", f"Accept: {accept[:100]}", f"ask for one of {', '.join(FORMS)}")


def allow(guard: Guard, sql: str, *, export: bool = False) -> Permitted:
    """Ask for access to each table that a query reads; with ``export``, also to take its rows away.

    Returns:
        Which encrypted values the caller sees in clear.

    Raises:
        Forbidden: it isn't allowed.
        Problem: what it reads can't be determined.
    """
    guard.require("query", Resource("query"))
    try:
        resources = resources_of(guard.workspace, sql)
    except Unreadable as error:
        raise Problem(422, "query-refused", str(error), "name the tables as schema.table") from error
    for resource in resources:
        guard.require(verb_of(resource), resource)
    if export:
        guard.require("export", [Resource("query"), *(each for each in resources if verb_of(each) == "query")])
    return permitted(guard.workspace, resources, guard.principal) if guard.workspace.encrypts else NOTHING


async def _start(guard: Guard, body: NewQuery, form: str, decrypts: Permitted) -> asyncio.subprocess.Process:
    asked = {
        **{"project": str(guard.workspace.project.folder), "sql": body.sql, "seconds": body.seconds},
        **{"rows": body.rows, "form": form, "decrypt": decrypts.as_json()},
        "role": query_role(guard.workspace, guard.principal.role),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "leat.serve.query", stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    process.stdin.write(json.dumps(asked).encode())
    process.stdin.close()
    return process


async def _head(process: asyncio.subprocess.Process, seconds: float) -> dict[str, str]:
    """Return the first line: whether there are rows, or why not."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        async with asyncio.timeout(seconds + _GRACE):
            line = await process.stdout.readline()
        head: dict[str, str] = json.loads(line)
    except (TimeoutError, ValueError):
        await _stop(process)
        return {"error": f"the query was stopped: it took more than {seconds:g} seconds, or more memory than it may"}
    except BaseException:
        await _stop(process)
        raise
    return head


async def rows_of(process: asyncio.subprocess.Process, seconds: float) -> AsyncIterator[bytes]:
    """Yield what the process of a query writes, in its form.

    Raises:
        RuntimeError: it takes more than it may, or ended early.
        TimeoutError: it took too long.
    """
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    sent = 0
    async with asyncio.timeout(seconds + _GRACE):
        while chunk := await process.stdout.read(_CHUNK):
            sent += len(chunk)
            if sent > _MOST:
                msg = f"the rows take more than {_MOST:,} bytes"
                raise RuntimeError(msg)
            yield chunk
        if await process.wait() != 0:
            msg = "the query ended early"
            raise RuntimeError(msg)


async def end(process: asyncio.subprocess.Process) -> None:
    """End the process of a query, and let another one run."""
    _AT_ONCE.release()
    await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
