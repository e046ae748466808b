"""Requests that are sent on to Dagster's process, and its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from leat.runs.dagster_process import PREFIX, May
from leat.serve.dagster_ui.process import DagsterProcess

if TYPE_CHECKING:
    import httpx2

_SENT_ON = ("accept", "accept-language", "content-type", "if-modified-since", "if-none-match", "range")
_ANSWERED = ("accept-ranges", "content-disposition", "content-encoding", "content-length", "content-range",
             "content-security-policy", "content-type", "etag", "last-modified")  # fmt: skip
_STATIC = f"{PREFIX}/_next/static/"
_FOREVER = "private, max-age=31536000, immutable"
"""For files whose names change with their content."""
_OF_FILES = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
"""A script may be that of a worker, which takes the policy from here."""


async def answer_of(request: Request, process: DagsterProcess, may: May, body: bytes = b"") -> Response:
    """Send a request on and return the answer, without what isn't for the browser: cookies, for example.

    Raises:
        NotRunning: there is no answer.
    """
    path: str = request.scope["path"]
    query = b"" if request.method == "POST" else request.scope["query_string"]
    headers = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
    target = request.scope["raw_path"] + (b"?" + query if query else b"")
    inner = await process.send(may, request.method, path, target, headers, body)
    named = {name: inner.headers[name] for name in _ANSWERED if name in inner.headers}
    if path.startswith(_STATIC) and inner.status_code == 200:
        named["cache-control"] = _FOREVER
    named.setdefault("content-security-policy", _OF_FILES)
    return StreamingResponse(_raw(inner), inner.status_code, named)


async def _raw(inner: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in inner.aiter_raw():
            yield part
    finally:
        await inner.aclose()
