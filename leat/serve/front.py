"""The ASGI application in front of all others: request ids, limits, security headers, the log.

``/hooks/*`` goes to a plain function: FastAPI would take three times as long as the rest of the request.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from leat.limits import REQUEST_BODY_BYTES as LIMIT
from leat.limits import REQUEST_BODY_SECONDS as BODY_SECONDS
from leat.runs.dagster_process import GRAPHQL as WEBSOCKET
from leat.serve.metrics import Metrics
from leat.serve.problem import JSON, Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("leat.serve.access")
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered."""

_PROBES = ("/livez", "/readyz")
_LINKS = ("/c/", "/o/", "/unsubscribe/")
"""Links of mails: a line of the log would have both the mail, by its token, and the address of who read it."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_ODD_PATH = re.compile(rb"//|/\.{1,2}(?:/|$)|%2f|%5c|%00|%2e|\\|[\x00-\x20\x7f-\xff]", re.IGNORECASE)

SECURITY_HEADERS: Mapping[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    b"form-action 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"no-store",
}
"""What every answer has, unless the answer says it itself."""
FOR_PROGRAMS: Mapping[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""The same for answers to webhooks, which no browser reads: each header costs time."""


@dataclass(slots=True)
class Front:
    """The application that uvicorn calls.

    Attributes:
        app: answers everything but webhooks.
        hooks: answers ``/hooks/*``.
        hosts: the names that a Host header may have.
        metrics: what is counted.
        body_seconds: how long a client may take to send a body.
        draining: whether each connection is closed after its answer, because the process is about to end.
    """

    app: App
    hooks: App
    hosts: frozenset[str]
    metrics: Metrics
    body_seconds: float = BODY_SECONDS
    draining: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        hook = scope["path"].startswith("/hooks/")
        headers = FOR_PROGRAMS if hook else SECURITY_HEADERS
        if self.draining:
            headers = {**headers, b"connection": b"close"}
        exchange = _Exchange(scope, receive, send, self.body_seconds, headers)
        request_id.set(exchange.request_id)
        try:
            self._refuse_odd(scope, exchange)
            await (self.hooks if hook else self.app)(scope, exchange.receive, exchange.send)
        except Problem as problem:
            await exchange.answer(problem)
        except Exception as error:
            from leat.pipelines.load.error_message import log_error

            log_error(logging.getLogger("leat.serve"), error, "request %s", exchange.request_id)
            await exchange.answer(Problem(500, "internal", "leat failed to answer", "look into the log by request_id"))
        finally:
            exchange.end()
            self.metrics.answered("hook" if hook else "app", exchange.status, exchange.seconds)
            if exchange.status >= 400 or not (hook or scope["path"] in _PROBES or scope["path"].startswith(_LINKS)):
                exchange.log()

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a WebSocket of the one path that has some; close others before they are open."""
        begun, name = time.monotonic(), secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = name
        request_id.set(name)
        try:
            self._refuse_elsewhere(scope, dict(scope["headers"]))
            await (self.app if scope["path"] == WEBSOCKET else _close)(scope, receive, send)
        except Problem:
            await _close(scope, receive, send)
        finally:
            _log(scope, name, "WEBSOCKET", 101, time.monotonic() - begun)

    def _refuse_elsewhere(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Refuse paths that another program on the way may read otherwise, and other hosts.

        Raises:
            Problem: with the status.
        """
        if _ODD_PATH.search(scope["raw_path"]):
            raise Problem(400, "odd-path", "the path isn't in its plain form", "send it without escapes and dots")
        host = _host(headers.get(b"host", b"").decode("latin-1"))
        if host not in self.hosts:
            raise Problem(421, "unknown-host", "the Host header names another server", "start `leat serve` with --url")

    def _refuse_odd(self, scope: Scope, exchange: _Exchange) -> None:
        """Refuse what is elsewhere, and bodies that are too large.

        Raises:
            Problem: with the status.
        """
        self._refuse_elsewhere(scope, exchange.headers)
        length = exchange.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LIMIT:
            raise too_large()


async def _close(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 1008})


def too_large() -> Problem:
    """Return the error of a body that is too large."""
    return Problem(
        413, "too-large", f"the body has more than {LIMIT:,} bytes", "send less", headers={"connection": "close"}
    )


def too_slow() -> Problem:
    """Return the error of a body that doesn't come."""
    return Problem(408, "too-slow", "the body came too slowly", "send it again", headers={"connection": "close"})


def _host(text: str) -> str:
    name = text.rpartition(":")[0] if re.search(r":\d*$", text) and not text.endswith("]") else text
    return name.strip("[]").lower()


class _Exchange:
    """A request and its answer: reads with limits, adds headers."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, body_seconds: float, headers: Mapping[bytes, bytes]
    ) -> None:
        self.scope, self._receive, self._send, self._added = scope, receive, send, headers
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = self.request_id
        self.status, self._begun, self._size = 0, time.monotonic(), 0
        self._complete = self._late = self._reading = False
        self._patience = body_seconds
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(body_seconds, self._expire)  # cheaper than a timeout each

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._begun

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next part of the body.

        Raises:
            Problem: the body is too large or too slow.
        """
        if self._complete:  # all that can still come is that the client has gone
            return await self._receive()
        self._reading = True
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if not self._late or self._task is None:
                raise
            self._task.uncancel()
            raise too_slow() from None
        finally:
            self._reading = False
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._complete:
                self._timer.cancel()
            if self._size > LIMIT:
                raise too_large()
        return message

    def end(self) -> None:
        """Let go of the timer."""
        self._timer.cancel()

    def _expire(self) -> None:
        if self._reading and self._task is not None:
            self._late = True
            self._task.cancel()
        else:  # the application hasn't asked for the rest yet
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._expire)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            said = {name.lower() for name, _ in message.get("headers", ())}
            more = [(name, value) for name, value in self._added.items() if name not in said]
            if self.scope.get("scheme") == "https" and b"strict-transport-security" not in said:
                more.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
            more.append((b"x-request-id", self.request_id.encode()))
            message["headers"] = [*message.get("headers", ()), *more]
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        body = problem.body(self.request_id)
        headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.encode(), value.encode()) for name, value in problem.headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def log(self) -> None:
        """Write a line of the log."""
        _log(self.scope, self.request_id, self.scope["method"], self.status, self.seconds)


def _log(scope: Scope, name: str, method: str, status: int, seconds: float) -> None:
    """Write a line of the log; never the query, which may have what is private."""
    client, _ = scope.get("client") or ("", 0)
    named = {"request_id": name, "method": method, "path": scope["path"], "status": status, "client": client}
    log.info("%s %s %d", method, scope["path"], status, extra=named | {"seconds": round(seconds, 4)})
