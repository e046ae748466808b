"""uvicorn's HTTP protocol, with a limit for slow and large heads of requests, which uvicorn doesn't have.

A client that opens a connection and sends its head byte by byte would hold the connection for ever. A connection too
many is answered as every other error is, where uvicorn would send a plain text.
"""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leat.runs.dagster_process import GRAPHQL as WEBSOCKET
from leat.serve.problem import JSON, Problem

HEAD_BYTES = 65_536
_LATE = Problem(408, "too-slow", "the head of a request came too slowly", "send it again")
_FULL = Problem(503, "busy", "the server has as many connections as it may", "retry later")
_RETRY_AFTER = b"5"  # seconds


class Protocol(HttpToolsProtocol):
    """One connection; closed when a head isn't complete in time, or is too large."""

    head_seconds = 10.0
    _timer: asyncio.TimerHandle | None = None
    _most: int | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._most, self.limit_concurrency = self.limit_concurrency, None
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and count those that belong to a head."""
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()
        if self._timer is not None:
            self._head += len(data)
        super().data_received(data)
        if self._timer is not None and self._head > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(Problem(431, "head-too-large", f"the head has more than {HEAD_BYTES:,} bytes", "send less"))

    def on_headers_complete(self) -> None:
        """Stop waiting: the front limits what follows."""
        self._stop()
        app = self.app
        if self._most is not None and len(self.connections) > self._most:
            self.app = _busy
        super().on_headers_complete()
        self.app = app

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop()
        super().connection_lost(exc)

    def _should_upgrade(self) -> bool:
        """Return whether to open a WebSocket: for the path that has one, and while there are few connections."""
        here = self.url.partition(b"?")[0] == WEBSOCKET.encode()
        return here and (self._most is None or len(self.connections) <= self._most) and super()._should_upgrade()

    def _wait(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(self.head_seconds, self._refuse, _LATE)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP."""
        self._refuse(Problem(400, "no-http", "this isn't a request of HTTP/1.1"))

    def _refuse(self, problem: Problem) -> None:
        self._stop()
        if self.transport.is_closing():
            return
        body = problem.body(secrets.token_hex(8))
        head = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ncontent-type: {JSON}\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()


async def _busy(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer one request, and close its connection."""
    body = _FULL.body(secrets.token_hex(8))
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body)),
               (b"retry-after", _RETRY_AFTER), (b"connection", b"close")]  # fmt: skip
    await send({"type": "http.response.start", "status": _FULL.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
