"""What WebDAV answers to PROPFIND and REPORT: a ``multistatus`` of resources with properties (RFC 4918, 13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from leat.sources.http.safe_xml import XMLNS, clark, parse_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Resource:
    """One ``response`` of a multistatus: its path as the server wrote it, its status and its properties."""

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


def propfind_body(names: tuple[str, ...]) -> str:
    """Return the body that asks for properties such as ``D:getetag`` (RFC 4918, 9.1)."""
    return f"<D:propfind {XMLNS}><D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop></D:propfind>"


def parse_multistatus(url: str, status: int, body: bytes) -> Multistatus:
    """Return what a 207 answer holds; ``url`` is the address that paths in it are relative to.

    Raises:
        ValueError: it isn't a multistatus.
    """
    root: Element = parse_xml(body)
    if status != 207 or root.tag != clark("D:multistatus"):
        msg = f"HTTP {status} with <{root.tag}>"
        raise ValueError(msg)
    resources = tuple(_resource(url, element) for element in root.iter(clark("D:response")))
    token = root.find(clark("D:sync-token"))
    return Multistatus(resources, (token.text or "").strip() or None if token is not None else None)


def _resource(url: str, element: Element) -> Resource:
    href = (element.findtext(clark("D:href")) or "").strip()
    if not href:
        msg = "a response without href"
        raise ValueError(msg)
    properties: dict[str, Element] = {}
    for propstat in element.iter(clark("D:propstat")):
        if _status(propstat) == 200:
            properties |= {child.tag: child for prop in propstat.iter(clark("D:prop")) for child in prop}
    own = element.find(clark("D:status"))
    return Resource(_path(url, href), 200 if own is None else _status(element), properties)


def _path(url: str, href: str) -> str:
    """Return the path of an href: a whole URL, a path, or relative to an address (RFC 4918, 8.3).

    A path may begin with two slashes, and have characters in it that servers forget to encode.
    """
    if href.startswith("/"):
        return href.replace("?", "%3F").replace("#", "%23")
    return urlsplit(urljoin(url, href)).path


def _status(element: Element) -> int:
    parts = (element.findtext(clark("D:status")) or "").split()
    if len(parts) < 2 or not parts[1].isdigit():
        msg = "a response without a status"
        raise ValueError(msg)
    return int(parts[1])
