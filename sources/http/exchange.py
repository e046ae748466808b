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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leat.limits import HTTP_ANSWER_BYTES as MAX_ANSWER
from leat.sources.errors import IntegrationError, RateLimited, Rejected, TimedOut, UnexpectedShape
from leat.sources.http.address import Origin, below, fits, is_absolute, origin
from leat.sources.http.budget import Budget
from leat.sources.http.calls import ApiCall
from leat.sources.http.failures import Advice, error_of, lost
from leat.sources.http.headers import Quota, location_of, moment_of, quota_of
from leat.sources.http.request import Answer, HttpRequest, Limits, Version

if TYPE_CHECKING:
    import requests

_PIECE = 2**18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
        url: address that paths are relative to.
        origin: its scheme, host and port, which requests may go to, and nowhere else.
        answered: set once the server has answered anything.
    """

    integration: str
    session: requests.Session
    limits: Limits
    advice: Advice
    called: Callable[[ApiCall], None]
    version: Version | None
    budget: Budget
    url: str
    origin: Origin
    answered: threading.Event = field(default_factory=threading.Event)
    _settings: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """Return what the environment says of proxies and certificates; it is asked once, which costs 0.3 ms."""
        if not self._settings:
            self._settings.update(self.session.merge_environment_settings(self.url, {}, True, None, None))
        return self._settings

    def leads_away(self, asked: str, url: str) -> Rejected:
        """Return the error for a URL of another host, from which it was stopped."""
        got = f"the server points to another host, {urlsplit(url).hostname}, which gets no credentials from here"
        advice = "set connection.url to the address on that host, if you trust it"
        return Rejected(self.integration, asked, got, advice)


def exchange(wire: Wire, ask: HttpRequest, url: str, attempt: int, deadline: float) -> tuple[Answer, str | None]:
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
    asked = ask.shown(urlsplit(url).path)
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
    location = location_of(headers) if answer is not None and answer.status in _REDIRECTS - ask.accept else None
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


def _receive(wire: Wire, ask: HttpRequest, url: str, asked: str, deadline: float) -> Answer:
    import requests
    import urllib3

    from leat.sources.http.lookup import exchange_of

    begun = False
    try:
        request = _prepared(wire, ask, url, asked)
        sent = str(request.url)
        session, timeout = wire.session, max(0.001, min(wire.limits.timeout, deadline - time.monotonic()))
        with (
            exchange_of(wire.integration, wire.limits, deadline),
            # not session.send, which reads what a redirect says without a limit
            session.get_adapter(sent).send(request, timeout=timeout, **wire.settings()) as response,
        ):
            begun = True
            requests.cookies.extract_cookies_to_jar(session.cookies, request, response.raw)  # type: ignore[no-untyped-call]
            return Answer(asked, response.status_code, _read(wire, response, asked), response.headers, url)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ValueError, LookupError) as error:
        failure = lost(wire.integration, asked, error, wire.limits.timeout, wire.advice)
        if isinstance(failure, TimedOut) and time.monotonic() >= deadline:
            got = f"no {'end of the answer,' if begun else 'answer'} in {wire.limits.total:g} s"
            failure = TimedOut(wire.integration, asked, got, "try later; the server is too slow")
        # the cause would show the request with its credentials
        raise failure from None


def _prepared(wire: Wire, ask: HttpRequest, url: str, asked: str) -> requests.PreparedRequest:
    """Return the request as it is sent, after a look at where it goes.

    Raises:
        Rejected: to another host than the connection's, or to another path than the declared one.
    """
    import requests

    request = wire.session.prepare_request(
        requests.Request(
            ask.method,
            url,
            params=ask.pairs(),
            data=ask.body.encode() if isinstance(ask.body, str) else ask.body,
            json=ask.json,
            headers=dict(ask.headers),
        )
    )
    sent = str(request.url)
    if origin(sent) != wire.origin:
        raise wire.leads_away(asked, sent)
    if ask.exact and ask.template is not None and not is_absolute(ask.path):
        template = ask.template if ask.path.startswith("/") else ask.template.lstrip("/")
        if not fits(below(wire.url, template), sent):
            got = "not sent: with a row's value in it, the path would be another one"
            advice = "leave that row out; its value can't stand in a path"
            raise Rejected(wire.integration, f"{ask.method} {ask.template}", got, advice)
    return request


def _read(wire: Wire, response: requests.Response, asked: str) -> bytes:
    """Read a body piece by piece as it arrives; ``read1`` doesn't wait until a piece is full."""
    content = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        content += piece
        if len(content) > MAX_ANSWER:
            raise UnexpectedShape(wire.integration, asked, f"more than {MAX_ANSWER} bytes", wire.advice.shape)
    return bytes(content)
