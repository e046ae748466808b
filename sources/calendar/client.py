"""HTTP to one server: one request, one answer or one error.

Every failure becomes one of :mod:`sources.errors`. Credentials are sent to the declared host only, and
answers are limited in size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin, urlsplit

from sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from sources.web.safe_xml import clark, parse_xml

if TYPE_CHECKING:
    import requests

MAX_ANSWER = 128 * 2**20
MAX_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Client:
    """A connection to one server: its address, and the session that holds the credentials."""

    integration: str
    url: str
    timeout: float
    session: requests.Session


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    body: bytes
    etag: str | None = None


@contextlib.contextmanager
def open_client(
    integration: str, url: str, username: str | None, password: str | None, timeout: float
) -> Iterator[Client]:
    """Open a session; the password is in it and nowhere else.

    Raises:
        NotConfigured: the address isn't an ``http`` or ``https`` URL.
    """
    import requests

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise NotConfigured(
            integration, "reading connection.url", "it is no http(s) URL without credentials", "write https://host/path"
        )

    def anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request  # keeps requests from looking for credentials in ~/.netrc

    with requests.Session() as session:
        session.auth = anonymous
        if username is not None:
            session.auth = requests.auth.HTTPBasicAuth(username.encode(), (password or "").encode())
        session.headers.update({"User-Agent": "leat", "Accept": "application/xml, text/xml, text/calendar"})
        yield Client(integration, url, timeout, session)


def request(
    client: Client,
    method: str,
    path: str,
    body: str | None = None,
    *,
    depth: str | None = None,
    accept: frozenset[int] = frozenset(),
    kind: str = "application/xml; charset=utf-8",
) -> Answer:
    """Send one request and return the answer.

    Args:
        client: the connection.
        method: for example ``PROPFIND``.
        path: path on the server, or a URL.
        body: text to send.
        depth: value of the ``Depth`` header.
        accept: statuses that are returned although they are errors.
        kind: media type of the body.

    Raises:
        IntegrationError: of the class that tells whether trying again can help.
    """
    url = urljoin(client.url, path)
    headers = {"Content-Type": kind} if body is not None else {}
    if depth is not None:
        headers["Depth"] = depth
    for _ in range(MAX_REDIRECTS):
        asked = f"{method} {urlsplit(url).path}"
        if _origin(url) != _origin(client.url):
            raise Rejected(
                client.integration,
                asked,
                f"the server points to another host, {urlsplit(url).hostname}, which gets no credentials from here",
                "set connection.url to the address on that host, if you trust it",
            )
        answer, location = _send(client, method, url, body, headers, asked)
        if not location:
            break
        url = urljoin(url, location)
    if answer.status >= 300 and answer.status not in accept:
        raise_for(client, asked, answer)
    return answer


def _send(
    client: Client, method: str, url: str, body: str | None, headers: dict[str, str], asked: str
) -> tuple[Answer, str | None]:
    import requests

    data = None if body is None else body.encode()
    try:
        with client.session.request(
            method, url, data=data, headers=headers, timeout=client.timeout, allow_redirects=False, stream=True
        ) as response:
            content = _read(client, response, asked)
            location = response.headers.get("Location") if response.status_code in (301, 302, 307, 308) else None
            if response.status_code == 429:
                _raise_limited(client, asked, response.headers.get("Retry-After"))
            return Answer(response.status_code, content, response.headers.get("ETag")), location
    except requests.exceptions.RequestException as error:
        raise _lost(client, asked, error) from None  # the cause would show the request with its credentials


def _read(client: Client, response: requests.Response, asked: str) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(2**18):
        content += chunk
        if len(content) > MAX_ANSWER:
            raise UnexpectedShape(
                client.integration, asked, f"more than {MAX_ANSWER} bytes", "restrict connection.calendars"
            )
    return bytes(content)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _lost(client: Client, asked: str, error: Exception) -> IntegrationError:
    """Return the error for a request that got no answer."""
    import requests

    name = client.integration
    errors = requests.exceptions
    if isinstance(error, errors.Timeout) or "ReadTimeoutError" in repr(error.args[:1]):
        return TimedOut(name, asked, f"no answer in {client.timeout:g} s", "try later, or raise connection.timeout")
    if isinstance(error, errors.SSLError):
        return Rejected(
            name, asked, "the server's certificate isn't valid", "mend the certificate; it is never ignored"
        )
    if isinstance(error, errors.ContentDecodingError):
        return UnexpectedShape(name, asked, "a body that can't be decompressed", "look at the server's proxy")
    if isinstance(error, errors.InvalidURL | errors.InvalidSchema | errors.InvalidHeader):
        return NotConfigured(name, asked, "the URL can't be used", "write connection.url as https://host/path")
    return Unavailable(name, asked, "no connection, or it was cut", "start the server or look at its network")


def _raise_limited(client: Client, asked: str, header: str | None) -> NoReturn:
    seconds: float | None = None
    if header and header.strip().isdigit():
        seconds = float(header)
    elif header:
        with contextlib.suppress(ValueError):
            seconds = max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    raise RateLimited(client.integration, asked, "HTTP 429", "wait; the next run goes on from here", seconds)


def raise_for(client: Client, asked: str, answer: Answer) -> NoReturn:
    """Raise the error that an HTTP status stands for."""
    status, name = answer.status, client.integration
    got = f"HTTP {status}{precondition(answer)}"
    if status == 401:
        raise Unauthenticated(name, asked, got, "check connection.username and connection.password")
    if status == 403:
        raise Forbidden(name, asked, got, "let the account read this calendar, or leave it out of connection.calendars")
    if status in (404, 410):
        raise NotFound(name, asked, got, "check connection.url; it may be the server, a principal or one calendar")
    if status == 408:
        raise TimedOut(name, asked, got, "try later")
    if status >= 500:
        raise Unavailable(name, asked, got, "try later; if it stays, look at the server's log")
    raise Rejected(name, asked, got, "check that connection.url is a CalDAV address")


def precondition(answer: Answer) -> str:
    """Return the names of the preconditions in a ``DAV:error`` body, with a space before; empty when there is none."""
    try:
        root = parse_xml(answer.body)
    except ValueError:
        return ""
    if root.tag != clark("D:error"):
        return ""
    return "".join(f" {child.tag.rpartition('}')[2]}" for child in root)
