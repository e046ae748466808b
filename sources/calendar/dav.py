"""WebDAV, as much as a calendar needs (RFC 4918): PROPFIND, REPORT and the ``multistatus`` that they answer."""

from __future__ import annotations

from sources.calendar.client import Answer, Client, request
from sources.errors import UnexpectedShape
from sources.web.multistatus import Multistatus, parse_multistatus, propfind_body
from sources.web.safe_xml import XMLNS


def propfind(client: Client, path: str, names: tuple[str, ...], depth: str) -> Multistatus:
    """Ask for properties of a resource, and with depth ``1`` of its members (RFC 4918, 9.1)."""
    return multistatus(client, f"PROPFIND {path}", request(client, "PROPFIND", path, propfind_body(names), depth=depth))


def report(client: Client, path: str, name: str, inner: str, depth: str, accept: frozenset[int]) -> Answer:
    """Send a REPORT (RFC 3253, 3.6); ``inner`` is the XML inside its root element, with our prefixes."""
    return request(client, "REPORT", path, f"<{name} {XMLNS}>{inner}</{name}>", depth=depth, accept=accept)


def multistatus(client: Client, asked: str, answer: Answer) -> Multistatus:
    """Parse a 207 answer.

    Raises:
        UnexpectedShape: it isn't a multistatus.
    """
    try:
        return parse_multistatus(client.url, answer.status, answer.body)
    except ValueError as error:
        raise UnexpectedShape(
            client.integration, asked, f"no multistatus: {error}", "check that connection.url is a CalDAV address"
        ) from None
