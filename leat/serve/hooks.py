"""``POST /hooks/<integration>``: check the signature, append, answer 200 when it is on the disk."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from leat.hooks.endpoints import Endpoint
from leat.hooks.segments import SegmentWriter, Unavailable
from leat.hooks.signatures import BadSignature
from leat.serve.front import Receive, Scope, Send
from leat.serve.metrics import Metrics
from leat.serve.problem import Problem

log = logging.getLogger("leat.serve.hooks")


@dataclass(slots=True)
class Refused:
    """Webhooks of an endpoint that were refused since this process began.

    Attributes:
        count: how many.
        at: when the last one was.
        why: why the last one was.
    """

    count: int = 0
    at: datetime | None = None
    why: str = ""


_EMPTY: list[tuple[bytes, bytes]] = [(b"content-length", b"0")]


class HooksApp:
    """Answers webhooks.

    Args:
        endpoints: by name; may be replaced while it serves.
        writer: makes them durable.
        metrics: counts them.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], writer: SegmentWriter, metrics: Metrics) -> None:
        self.endpoints = endpoints
        self.refused: dict[str, Refused] = {}
        self._writer, self._metrics = writer, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises:
            Problem: it isn't a webhook that can be taken.
        """
        endpoint = self._endpoint(scope)
        headers = dict(scope["headers"])
        body = await _read(receive)
        try:
            endpoint.check(headers, body, scope["query_string"].decode("latin-1"))
        except BadSignature as error:
            self._count_refused(endpoint.name, str(error))
            log.warning("a webhook for %s was refused: %s", endpoint.name, error, extra={"endpoint": endpoint.name})
            raise Problem(401, "bad-signature", str(error), "sign with the secret that is declared") from None
        challenge = endpoint.challenge(body)
        if challenge is not None:
            await _answer(send, [(b"content-type", b"text/plain; charset=utf-8")], challenge.encode())
            return
        try:
            await self._writer.append(lambda seq: endpoint.line(headers, body, seq))
        except Unavailable as error:
            log.error("%s", error)  # noqa: TRY400 - the sender sends it again
            raise Problem(
                503, "not-stored", "it can't be stored now", "send it again", headers={"retry-after": "5"}
            ) from error
        self._metrics.appended(endpoint.name)
        await _answer(send, _EMPTY, b"")

    def _count_refused(self, name: str, why: str) -> None:
        one = self.refused.setdefault(name, Refused())
        one.count, one.at, one.why = one.count + 1, datetime.now(UTC), why
        self._metrics.refused(name)

    def _endpoint(self, scope: Scope) -> Endpoint:
        endpoint = self.endpoints.get(scope["path"].removeprefix("/hooks/"))
        if endpoint is None:
            raise Problem(
                404, "no-such-path", "no integration takes webhooks at this path", "declare hooks: in its YAML"
            )
        if scope["method"] != "POST":
            raise Problem(405, "method-not-allowed", "webhooks are sent by POST", headers={"allow": "POST"})
        if endpoint.missing is not None:
            raise Problem(503, "not-configured", "its secret isn't set on this server", headers={"retry-after": "60"})
        return endpoint


async def _read(receive: Receive) -> bytes:
    """Return the whole body."""
    message: Any = await receive()
    body = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise Problem(400, "incomplete", "the body is incomplete")
    return bytes(body)


async def _answer(send: Send, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
