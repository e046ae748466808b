"""Idempotency keys: a POST that is repeated isn't carried out again; answers are files in the state folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from leat.files import atomic_write, lock, make_private
from leat.runs.requests import ANSWERS
from leat.serve.problem import Problem

_RETAINED = 86_400.0


async def once(request: Request, state: Path, caller: str, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Answer a request with an Idempotency-Key as the first time.

    Args:
        request: the request.
        state: the state folder, which has the answers.
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
    folder = state / ANSWERS
    await run_in_threadpool(make_private, folder)
    name = hashlib.sha256(f"{caller}\0{key}".encode()).hexdigest()
    asked = hashlib.sha256(f"{request.url.path}?{request.url.query}\0".encode() + await request.body()).hexdigest()
    try:
        with lock(folder / f"{name}.lock", 0):
            stored = _stored(folder / f"{name}.json")
            if stored is not None and stored["asked"] != asked:
                detail = "this Idempotency-Key was used for another request"
                raise Problem(422, "idempotency-key-reused", detail, "use a new key for each request")
            if stored is not None:
                headers = {**stored["headers"], "idempotent-replayed": "true"}
                return Response(stored["body"], stored["status"], headers)
            response = await answer()
            secret = response.headers.get("cache-control") == "no-store"
            body = getattr(response, "body", None)  # the rows of a query are a stream, and are read again
            if response.status_code < 500 and isinstance(body, bytes) and not secret:
                headers = {name: value for name, value in response.headers.items() if name != "content-length"}
                whole = {"status": response.status_code, "headers": headers, "body": body.decode()}
                atomic_write(folder / f"{name}.json", json.dumps({"asked": asked, **whole}), durable=True)
            return response
    except BlockingIOError:
        detail = "a request with this Idempotency-Key is under way"
        raise Problem(409, "in-progress", detail, "wait, then send it again", headers={"retry-after": "1"}) from None


def _stored(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_mtime < time.time() - _RETAINED:
            return None
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return stored
