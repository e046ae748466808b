"""WebDAV, as much as a calendar needs (RFC 4918): PROPFIND, REPORT and the ``multistatus`` that they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from sources.calendar.client import Answer, Client, request
from sources.errors import UnexpectedShape
from sources.web.safe_xml import XMLNS, clark, parse_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Resource:
    """One ``response`` of a multistatus: its path as the server wrote it, its status and the properties found."""

    path: str
    status: int
    properties: dict[str, Element] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Return the text of a property such as ``D:displayname``; None when it is absent or empty."""
        element = self.properties.get(clark(name))
        return (element.text or "").strip() or None if element is not None else None


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A parsed ``multistatus``: its responses and, of sync-collection, the new token."""

    resources: tuple[Resource, ...]
    token: str | None


def propfind(client: Client, path: str, names: tuple[str, ...], depth: str) -> Multistatus:
    """Ask for properties of a resource, and with depth ``1`` of its members (RFC 4918, 9.1)."""
    body = f"<D:propfind {XMLNS}><D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop></D:propfind>"
    return multistatus(client, f"PROPFIND {path}", request(client, "PROPFIND", path, body, depth=depth))


def report(client: Client, path: str, name: str, inner: str, depth: str, accept: frozenset[int]) -> Answer:
    """Send a REPORT (RFC 3253, 3.6); ``inner`` is the XML inside its root element, with our prefixes."""
    return request(client, "REPORT", path, f"<{name} {XMLNS}>{inner}</{name}>", depth=depth, accept=accept)


def multistatus(client: Client, asked: str, answer: Answer) -> Multistatus:
    """Parse a 207 answer.

    Raises:
        UnexpectedShape: it isn't a multistatus.
    """
    try:
        root = _root(answer)
        resources = tuple(_resource(client, element) for element in root.iter(clark("D:response")))
    except ValueError as error:
        raise UnexpectedShape(
            client.integration, asked, f"no multistatus: {error}", "check that connection.url is a CalDAV address"
        ) from None
    token = root.find(clark("D:sync-token"))
    return Multistatus(resources, (token.text or "").strip() or None if token is not None else None)


def _root(answer: Answer) -> Element:
    root: Element = parse_xml(answer.body)
    if answer.status != 207 or root.tag != clark("D:multistatus"):
        msg = f"HTTP {answer.status} with <{root.tag}>"
        raise ValueError(msg)
    return root


def _resource(client: Client, element: Element) -> Resource:
    href = (element.findtext(clark("D:href")) or "").strip()
    if not href:
        msg = "a response without href"
        raise ValueError(msg)
    url = urlsplit(urljoin(client.url, href))
    found: dict[str, Element] = {}
    for propstat in element.iter(clark("D:propstat")):
        if _status(propstat) == 200:
            found |= {child.tag: child for prop in propstat.iter(clark("D:prop")) for child in prop}
    own = element.find(clark("D:status"))
    return Resource(url.path, 200 if own is None else _status(element), found)


def _status(element: Element) -> int:
    parts = (element.findtext(clark("D:status")) or "").split()
    if len(parts) < 2 or not parts[1].isdigit():
        msg = "a response without a status"
        raise ValueError(msg)
    return int(parts[1])
