"""HTTP to one server: one request, one answer or one error; the same for every integration that speaks HTTP.

Every failure becomes one of :mod:`leat.sources.errors`. Credentials are sent to the declared host only, which is judged
on what is really sent; certificates are verified, answers are limited in size and time, everybody who uses a credential
shares its rate, and each request is recorded (:mod:`leat.sources.http.calls`).
"""

from __future__ import annotations

import contextlib
import itertools
import json as jsonlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leat.limits import HTTP_REDIRECTS as MAX_REDIRECTS
from leat.sources.driver import Sync
from leat.sources.egress import check_host
from leat.sources.errors import NotConfigured, Rejected, Transient, Unauthenticated, UnexpectedShape
from leat.sources.http.address import below, follow, is_absolute, origin, shown_path
from leat.sources.http.backoff import wait_before_next, wait_for_turn
from leat.sources.http.budget import open_budget
from leat.sources.http.concurrency import in_order
from leat.sources.http.credentials import identity_of, prepare, renew, within
from leat.sources.http.exchange import Wire, exchange
from leat.sources.http.failures import Advice
from leat.sources.http.request import Answer, HttpRequest, Limits, Version

if TYPE_CHECKING:
    import requests

__all__ = ["Advice", "Answer", "Client", "HttpRequest", "Limits", "Version", "open_client", "origin"]

_SEE_OTHER = 303

_Auth = Callable[["requests.PreparedRequest"], "requests.PreparedRequest"]


@dataclass(frozen=True, slots=True)
class Client:
    """A connection to one server.

    Attributes:
        integration: name of the declaration, for errors.
        url: address that paths are relative to; credentials go to its host alone.
        session: holds the credentials.
        limits: how patient it is, and how eager.
        advice: what to do next about a failure, in the words of the integration.
    """

    integration: str
    url: str
    session: requests.Session
    limits: Limits
    advice: Advice
    _wire: Wire

    def get(self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, Any]] = (), **more: Any) -> Answer:
        """Send a GET; ``more`` are fields of :class:`HttpRequest`."""
        return self.send(HttpRequest(path, params=params, **more))

    def json(self, answer: Answer) -> Any:
        """Return the parsed body.

        Raises:
            UnexpectedShape: it isn't JSON.
        """
        try:
            return jsonlib.loads(answer.body)
        except (ValueError, RecursionError):
            raise self.not_json(answer) from None

    def not_json(self, answer: Answer, expected: str = "JSON") -> UnexpectedShape:
        """Return the error for an answer that was to be JSON, or of another kind, and isn't: a page to sign in."""
        kind = answer.headers.get("Content-Type", "no media type")
        got = f"HTTP {answer.status} with a body that is not {expected} ({kind}, {len(answer.body)} bytes)"
        return UnexpectedShape(self.integration, answer.asked, got, self.advice.shape)

    def send(self, ask: HttpRequest) -> Answer:
        """Send one request and return the answer; a transient failure of a repeatable one is tried again.

        Raises:
            IntegrationError: its class says whether a retry can help.
        """
        deadline = time.monotonic() + self.limits.total
        renewed = False
        for attempt in itertools.count(1):
            wait_for_turn(self._wire, ask.shown(shown_path(below(self.url, ask.path))), deadline)
            try:
                prepare(self.session.auth, deadline)
                answer = self._send_once(ask, attempt, deadline)
            except Unauthenticated as error:
                if renewed:
                    got = f"{error.got}, also with a token fresh from the server"
                    raise Unauthenticated(error.integration, error.asked, got, error.next_step) from None
                if not renew(self.session.auth, error):
                    raise
                renewed = True
            except Transient as error:
                wait = wait_before_next(self.limits, ask, error, attempt, self._wire.answered.is_set())
                if wait is None or time.monotonic() + wait >= deadline:
                    raise
                time.sleep(wait)
            else:
                return answer
        raise AssertionError

    def each(self, asks: Iterable[HttpRequest]) -> Iterator[Answer]:
        """Yield the answers in the order of the requests, with ``in_flight`` requests at a time."""
        return in_order(self.send, asks, self.limits.in_flight)

    def follow(self, base: str, link: str, asked: str) -> str:
        """Return the URL of a link in an answer, for the path of a request.

        Args:
            base: address that the answer came from.
            link: the link as it was given.
            asked: what was asked, for the error.

        Raises:
            Rejected: it leads to another host, or holds what no URL holds.
        """
        try:
            url = follow(base, link)
        except ValueError as error:
            got = f"the server gives a link that isn't followed: {error}"
            raise Rejected(self.integration, asked, got, "report it to the vendor") from None
        if origin(url) != self._wire.origin:
            raise self._wire.leads_away(asked, url)
        return url

    def _send_once(self, ask: HttpRequest, attempt: int, deadline: float) -> Answer:
        """Send a request, following redirects on the same host."""
        url = below(self.url, ask.path)
        if is_absolute(ask.path):
            url = self.follow(self.url, ask.path, ask.shown(shown_path(ask.path)))
        for _ in range(MAX_REDIRECTS):
            answer, location = exchange(self._wire, ask, url, attempt, deadline)
            if not location:
                return answer
            url = self.follow(answer.url, location, answer.asked)
            ask = replace(ask, path=url, params=())  # its query is part of the location
            if answer.status == _SEE_OTHER and ask.method != "HEAD":
                ask = replace(ask, method="GET", body=None, json=None)  # RFC 9110, 15.4.4
        got = f"more than {MAX_REDIRECTS} redirects"
        raise Rejected(self.integration, answer.asked, got, self.advice.rejected)


@contextlib.contextmanager
def open_client(
    sync: Sync,
    url: str,
    auth: _Auth | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    advice: Advice | None = None,
    version: Version | None = None,
) -> Iterator[Client]:
    """Open a session with a server; the credentials are in it and nowhere else.

    Args:
        sync: the extraction; its integration is named in errors, its ``called`` takes the record of each call.
        url: address of the API, ``http`` or ``https``, without credentials in it.
        auth: adds the credentials to a request: what :func:`leat.sources.http.auth.sign_in` returns, or for example
            :class:`requests.auth.HTTPBasicAuth`; None for none.
        headers: sent with every request.
        limits: how patient the client is, and how eager.
        advice: what to do next about a failure.
        version: the API version to ask for, and how.

    Raises:
        NotConfigured: the address isn't an ``http`` or ``https`` URL, or is a private one that isn't allowed, or
            the policies don't permit its host.
    """
    import requests

    from leat.sources.http.dialling import open_transport
    from leat.sources.http.lookup import refuse_private

    try:
        _, host, port = to = origin(url)
        follow(url, url)
    except ValueError as error:
        how = "write https://host/path, without credentials"
        raise NotConfigured(sync.integration, "reading connection.url", str(error), how) from None

    def anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request  # stops requests from looking for credentials in ~/.netrc

    check_host(sync.integration, host, encrypted=to[0] == "https")
    limits, advice = replace(limits or Limits(), permits=sync.permits), advice or Advice()
    if not limits.any_address:
        refuse_private(sync.integration, host, port, limits)
    fixed = {"User-Agent": "leat", **(headers or {})}
    if version is not None and version.asked is not None:
        fixed[version.header] = version.asked
    with requests.Session() as session:
        session.auth = auth or anonymous
        within(auth, limits)
        session.headers.update(fixed)
        open_transport(session, limits.in_flight)
        identity = identity_of(sync.integration, auth, fixed)
        budget = open_budget(sync.folder.parent / ".budgets", identity, urlsplit(url).netloc, limits)
        wire = Wire(sync.integration, session, limits, advice, sync.called, version, budget, url, to)
        yield Client(sync.integration, url, session, limits, advice, wire)
