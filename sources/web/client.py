"""HTTP to one server: one request, one answer or one error; the same for every integration that speaks HTTP.

Every failure becomes one of :mod:`sources.errors`. Credentials are sent to the declared host only, certificates are
verified, answers are limited in size, and each request is recorded (:mod:`sources.web.calls`).
"""

from __future__ import annotations

import contextlib
import itertools
import json as jsonlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sources.driver import Sync
from sources.errors import (
    IntegrationError,
    NotConfigured,
    RateLimited,
    Rejected,
    Transient,
    Unavailable,
    UnexpectedShape,
)
from sources.web.calls import ApiCall
from sources.web.failures import Advice, error_of, lost

if TYPE_CHECKING:
    import requests

MAX_ANSWER = 128 * 2**20
MAX_REDIRECTS = 3
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
"""Methods that may be sent again after a failure (RFC 9110, 9.2.2)."""

_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        path: path on the server, or a URL.
        method: HTTP method.
        params: query; pairs with None are left out.
        headers: headers of this request.
        body: bytes or text to send.
        json: a value to send as JSON.
        accept: statuses that are returned although they are errors.
        template: the path with names in place of values, for the record of calls; None when the path has no values.
    """

    path: str
    method: str = "GET"
    params: Mapping[str, Any] | Sequence[tuple[str, Any]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | None = None
    json: Any = None
    accept: frozenset[int] = frozenset()
    template: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    asked: str
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a client is, and how eager.

    Attributes:
        timeout: seconds to wait for an answer.
        attempts: how often a request that may be repeated is tried.
        in_flight: how many requests :meth:`Client.each` has under way.
    """

    timeout: float = 30
    attempts: int = 4
    in_flight: int = 1


@dataclass(frozen=True, slots=True)
class Client:
    """A connection to one server.

    Attributes:
        integration: name of the declaration, for errors.
        url: address that paths are relative to; credentials go to its host alone.
        session: holds the credentials.
        limits: how patient it is, and how eager.
        called: takes the record of every call.
        advice: what to do next about a failure, in the words of the integration.
    """

    integration: str
    url: str
    session: requests.Session
    limits: Limits
    called: Callable[[ApiCall], None]
    advice: Advice
    _answered: threading.Event = field(default_factory=threading.Event)

    def get(self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = (), **more: Any) -> Answer:
        """Send a GET; ``more`` are fields of :class:`Ask`."""
        return self.send(Ask(path, params=params, **more))

    def json(self, answer: Answer) -> Any:
        """Return the parsed body.

        Raises:
            UnexpectedShape: it isn't JSON.
        """
        try:
            return jsonlib.loads(answer.body)
        except (ValueError, RecursionError):
            kind = answer.headers.get("Content-Type", "no media type")
            got = f"HTTP {answer.status} with a body that is not JSON ({kind}, {len(answer.body)} bytes)"
            raise UnexpectedShape(self.integration, answer.asked, got, self.advice.shape) from None

    def send(self, ask: Ask) -> Answer:
        """Send one request and return the answer; a transient failure of a repeatable one is tried again.

        Raises:
            IntegrationError: of the class that tells whether trying again can help.
        """
        for attempt in itertools.count(1):
            try:
                answer = self._send_once(ask, attempt)
            except Transient as error:
                wait = error.retry_after if isinstance(error, RateLimited) else None
                tried_enough = attempt >= self.limits.attempts or ask.method not in REPEATABLE
                never_answered = isinstance(error, Unavailable) and not self._answered.is_set()
                if tried_enough or never_answered or (wait or 0) > _LONGEST_WAIT:
                    raise
                time.sleep(wait if wait is not None else 0.5 * 2 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311
            else:
                self._answered.set()
                return answer
        raise AssertionError

    def each(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        """Yield the answers in the order of the requests, of which ``in_flight`` are under way at a time."""
        if self.limits.in_flight <= 1:
            yield from map(self.send, asks)
            return
        pool = ThreadPoolExecutor(self.limits.in_flight)
        under_way: deque[Future[Answer]] = deque()
        try:
            for ask in asks:
                under_way.append(pool.submit(self.send, ask))
                if len(under_way) >= self.limits.in_flight:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _send_once(self, ask: Ask, attempt: int) -> Answer:
        """Send a request, following redirects on the same host, and record it."""
        url = urljoin(self.url, ask.path)
        for _ in range(MAX_REDIRECTS):
            asked = f"{ask.method} {urlsplit(url).path}"
            if origin(url) != origin(self.url):
                raise Rejected(
                    self.integration,
                    asked,
                    f"the server points to another host, {urlsplit(url).hostname}, which gets no credentials from here",
                    "set connection.url to the address on that host, if you trust it",
                )
            answer, location = self._exchange(ask, url, asked, attempt)
            if not location:
                break
            url = urljoin(url, location)
        return answer

    def _exchange(self, ask: Ask, url: str, asked: str, attempt: int) -> tuple[Answer, str | None]:
        began, at = time.monotonic(), datetime.now(UTC)
        answer: Answer | None = None
        error: IntegrationError | None = None
        location = None
        try:
            answer = self._receive(ask, url, asked)
            if answer.status in (301, 302, 307, 308):
                location = answer.headers.get("Location")
            if not location and answer.status >= 300 and answer.status not in ask.accept:
                error = error_of(self.integration, asked, answer.status, answer.headers, answer.body, self.advice)
        except IntegrationError as failure:
            error = failure
        self.called(
            ApiCall(
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
        )
        if error is not None:
            raise error
        if answer is None:
            raise AssertionError
        return answer, location

    def _receive(self, ask: Ask, url: str, asked: str) -> Answer:
        import requests

        body = ask.body.encode() if isinstance(ask.body, str) else ask.body
        pairs = ask.params.items() if isinstance(ask.params, Mapping) else ask.params
        try:
            with self.session.request(
                ask.method,
                url,
                params=[(name, value) for name, value in pairs if value is not None],
                data=body,
                json=ask.json,
                headers=dict(ask.headers),
                timeout=self.limits.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(asked, response.status_code, self._read(response, asked), response.headers)
        except requests.exceptions.RequestException as error:
            # the cause would show the request with its credentials
            raise lost(self.integration, asked, error, self.limits.timeout, self.advice) from None

    def _read(self, response: requests.Response, asked: str) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(2**18):
            content += chunk
            if len(content) > MAX_ANSWER:
                raise UnexpectedShape(self.integration, asked, f"more than {MAX_ANSWER} bytes", self.advice.shape)
        return bytes(content)


@contextlib.contextmanager
def open_client(
    sync: Sync,
    url: str,
    auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    advice: Advice | None = None,
) -> Iterator[Client]:
    """Open a session with a server; the credentials are in it and nowhere else.

    Args:
        sync: the extraction; its integration is named in errors, its ``called`` takes the record of each call.
        url: address of the API, ``http`` or ``https``, without credentials in it.
        auth: adds the credentials to a request, for example :class:`requests.auth.HTTPBasicAuth`; None for none.
        headers: sent with every request.
        limits: how patient the client is, and how eager.
        advice: what to do next about a failure.

    Raises:
        NotConfigured: the address isn't an ``http`` or ``https`` URL.
    """
    import requests

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise NotConfigured(
            sync.integration,
            "reading connection.url",
            "it is no http(s) URL without credentials",
            "write https://host/path",
        )

    def anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request  # keeps requests from looking for credentials in ~/.netrc

    with requests.Session() as session:
        session.auth = auth or anonymous
        session.headers.update({"User-Agent": "leat", **(headers or {})})
        limits = limits or Limits()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=max(10, limits.in_flight))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        yield Client(sync.integration, url, session, limits, sync.called, advice or Advice())


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL: who gets credentials."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
