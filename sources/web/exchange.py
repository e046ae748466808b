"""One exchange with a server: a request is sent, its answer read to the end, and both are recorded.

An answer is read as it comes, so that a server that drips bytes is given up in time, and one that is larger than
:data:`MAX_ANSWER` isn't held in memory. A body that is shorter than its ``Content-Length``, or that can't be
decompressed, is an error, never a short answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sources.errors import IntegrationError, RateLimited, TimedOut, UnexpectedShape
from sources.web.ask import Answer, Ask, Limits, Version
from sources.web.budget import Budget
from sources.web.calls import ApiCall
from sources.web.failures import Advice, error_of, lost
from sources.web.headers import Quota, moment_of, quota_of

if TYPE_CHECKING:
    import requests

MAX_ANSWER = 128 * 2**20
_PIECE = 2**18
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Wire:
    """What every exchange with a server needs.

    Attributes:
        integration: name of the declaration, for errors.
        session: holds the credentials.
        limits: how patient it is.
        advice: what to do next about a failure.
        called: takes the record of every call.
        version: the API version that is asked for.
        budget: learns from every answer what is left.
        answered: set once the server has answered anything.
    """

    integration: str
    session: requests.Session
    limits: Limits
    advice: Advice
    called: Callable[[ApiCall], None]
    version: Version | None
    budget: Budget
    answered: threading.Event = field(default_factory=threading.Event)


def exchange(wire: Wire, ask: Ask, url: str, attempt: int, deadline: float) -> tuple[Answer, str | None]:
    """Send one request and read its answer; returns it, and where it redirects to.

    Args:
        wire: the connection.
        ask: the request.
        url: where it is sent.
        attempt: 1 for the first try.
        deadline: :func:`time.monotonic` at which the answer has to be there.

    Raises:
        IntegrationError: the request failed, or the answer's status is an error that ``ask`` doesn't accept.
    """
    asked = f"{ask.method} {urlsplit(url).path}"
    began, at = time.monotonic(), datetime.now(UTC)
    answer: Answer | None = None
    error: IntegrationError | None = None
    try:
        answer = _receive(wire, ask, url, asked, deadline)
        wire.answered.set()
    except IntegrationError as failure:
        error = failure
    headers: Mapping[str, str] = {} if answer is None else answer.headers
    quota = quota_of(headers, at)
    location = headers.get("Location") if answer is not None and answer.status in _REDIRECTS else None
    if answer is not None and not location and answer.status >= 300 and answer.status not in ask.accept:
        error = error_of(wire.integration, asked, answer.status, headers, answer.body, wire.advice)
    wire.budget.answered(quota, error.retry_after if isinstance(error, RateLimited) else None)
    call = ApiCall(
        called_at=at,
        host=urlsplit(url).netloc,
        method=ask.method,
        path=ask.template or urlsplit(url).path,
        status=None if answer is None else answer.status,
        attempt=attempt,
        milliseconds=round((time.monotonic() - began) * 1000, 1),
        received_bytes=0 if answer is None else len(answer.body),
        error=None if error is None else type(error).__name__,
    )
    wire.called(_with_headers(call, headers, quota, wire.version))
    if error is not None:
        raise error
    if answer is None:
        raise AssertionError
    return answer, location


def _with_headers(call: ApiCall, headers: Mapping[str, str], quota: Quota, version: Version | None) -> ApiCall:
    return replace(
        call,
        rate_limit=quota.limit,
        rate_remaining=quota.remaining,
        rate_reset_at=quota.reset_at,
        version_asked=None if version is None else version.asked,
        version_served=None if version is None else headers.get(version.served or version.header),
        deprecated_at=moment_of(headers.get("Deprecation")),
        sunset_at=moment_of(headers.get("Sunset")),
    )


def _receive(wire: Wire, ask: Ask, url: str, asked: str, deadline: float) -> Answer:
    import requests
    import urllib3

    try:
        with wire.session.request(
            ask.method,
            url,
            params=ask.pairs(),
            data=ask.body.encode() if isinstance(ask.body, str) else ask.body,
            json=ask.json,
            headers=dict(ask.headers),
            timeout=max(0.001, min(wire.limits.timeout, deadline - time.monotonic())),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read(wire, response, asked, deadline)
            return Answer(asked, response.status_code, body, response.headers, url)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        # the cause would show the request with its credentials
        raise lost(wire.integration, asked, error, wire.limits.timeout, wire.advice) from None


def _read(wire: Wire, response: requests.Response, asked: str, deadline: float) -> bytes:
    """Read a body piece by piece as it arrives; ``read1`` doesn't wait until a piece is full."""
    content = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        content += piece
        if len(content) > MAX_ANSWER:
            raise UnexpectedShape(wire.integration, asked, f"more than {MAX_ANSWER} bytes", wire.advice.shape)
        if time.monotonic() > deadline:
            got = f"{len(content)} bytes, and no end of the answer, in {wire.limits.total:g} s"
            raise TimedOut(wire.integration, asked, got, "try later; the server is too slow")
    return bytes(content)
