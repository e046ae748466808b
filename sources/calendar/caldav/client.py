"""The client of a CalDAV server: what WebDAV adds to a request, and what its errors mean."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NoReturn

from leat.sources.driver import Sync
from leat.sources.http.client import Client, open_client
from leat.sources.http.failures import Advice, error_of
from leat.sources.http.request import Answer, HttpRequest, Limits
from leat.sources.http.safe_xml import clark, parse_xml

__all__ = ["Answer", "Client", "open_account", "precondition", "raise_for", "request"]

_MAY_READ = "let the account read this calendar, or leave it out of connection.calendars"


def open_account(
    sync: Sync, url: str, username: str | None, password: str | None, limits: Limits, forbidden: str = _MAY_READ
) -> AbstractContextManager[Client]:
    """Open a session with a server for an account.

    Args:
        sync: the run.
        url: address of the server.
        username: login; None for a server that doesn't require one.
        password: password.
        limits: how patient the client is.
        forbidden: what the user can do when the account may not do something.

    Raises:
        NotConfigured: the address isn't an ``http`` or ``https`` URL.
    """
    from requests.auth import HTTPBasicAuth

    auth = None if username is None else HTTPBasicAuth(username.encode(), (password or "").encode())
    advice = Advice(
        unauthenticated="check connection.username and connection.password",
        forbidden=forbidden,
        not_found="check connection.url; it may be the server, a principal or one calendar",
        rejected="check that connection.url is a CalDAV address",
        detail=_precondition,
    )
    accepted = {"Accept": "application/xml, text/xml, text/calendar"}
    return open_client(sync, url, auth, headers=accepted, limits=limits, advice=advice)


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
        IntegrationError: its class says whether a retry can help.
    """
    headers = {"Content-Type": kind} if body is not None else {}
    if depth is not None:
        headers["Depth"] = depth
    return client.send(HttpRequest(path, method, headers=headers, body=body, accept=accept))


def raise_for(client: Client, asked: str, answer: Answer) -> NoReturn:
    """Raise the error for an HTTP status."""
    raise error_of(client.integration, asked, answer.status, answer.headers, answer.body, client.advice)


def precondition(answer: Answer) -> str:
    """Return the names of the preconditions in a ``DAV:error`` body, with a space before; empty when there is none."""
    return _precondition(answer.body)


def _precondition(body: bytes) -> str:
    try:
        root = parse_xml(body)
    except ValueError:
        return ""
    if root.tag != clark("D:error"):
        return ""
    return "".join(f" {child.tag.rpartition('}')[2]}" for child in root)
