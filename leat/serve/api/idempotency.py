"""Idempotency keys: a POST that is repeated isn't carried out again, whichever server gets it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from fastapi import Request
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leat.runs.repeated import Claim, Reused, Stored, UnderWay, claim, release, store
from leat.serve.problem import Problem


async def once(request: Request, control: Engine, caller: str, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a request with an Idempotency-Key as the first time.

    Args:
        request: the request.
        control: the control store, which has the answers.
        caller: id of whoever asks; the keys of others are others.
        answer: carries the request out.

    Raises:
        Problem: the key is of another request, or that one is under way.
    """
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return await answer()
    if not 1 <= len(key) <= 255:
        raise Problem(400, "bad-idempotency-key", "the Idempotency-Key has 1 to 255 characters")
    name = hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()
    asked = hashlib.sha256(f"{request.url.path}?{request.url.query}\0".encode() + await request.body()).hexdigest()
    try:
        held = await run_in_threadpool(claim, control, name, asked)
    except Reused:
        detail = "this Idempotency-Key was used for another request"
        raise Problem(422, "idempotency-key-reused", detail, "use a new key for each request") from None
    except UnderWay:
        detail = "a request with this Idempotency-Key is under way"
        raise Problem(409, "in-progress", detail, "wait, then send it again", headers={"retry-after": "1"}) from None
    if isinstance(held, Stored):
        return Response(held.body, held.status, {**held.headers, "idempotent-replayed": "true"})
    return await _carry_out(control, held, answer)


async def _carry_out(control: Engine, held: Claim, answer: Callable[[], Awaitable[Response]]) -> Response:
    try:
        response = await answer()
        secret = response.headers.get("cache-control") == "no-store"
        body = getattr(response, "body", None)  # the rows of a query are a stream, and are read again
        if response.status_code < 500 and isinstance(body, bytes) and not secret:
            headers = {name: value for name, value in response.headers.items() if name != "content-length"}
            await run_in_threadpool(store, control, held, Stored(response.status_code, headers, body.decode()))
        else:
            await run_in_threadpool(release, control, held)
    except BaseException:  # the client may have gone, and then nothing can be waited for here
        asyncio.get_running_loop().run_in_executor(None, release, control, held)
        raise
    return response
