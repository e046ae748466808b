"""WebDAV, as much as a calendar needs (RFC 4918): PROPFIND, REPORT and the ``multistatus`` that they answer."""

from __future__ import annotations

from urllib.parse import unquote

from leat.sources.calendar.caldav.client import Answer, Client, request
from leat.sources.errors import UnexpectedShape
from leat.sources.http.multistatus import Multistatus, Resource, parse_multistatus, propfind_body
from leat.sources.http.safe_xml import XMLNS


def propfind(client: Client, path: str, names: tuple[str, ...], depth: str) -> Multistatus:
    """Ask for properties of a resource, and with depth ``1`` of its members (RFC 4918, 9.1)."""
    return multistatus(client, f"PROPFIND {path}", request(client, "PROPFIND", path, propfind_body(names), depth=depth))


def members(client: Client, path: str, names: tuple[str, ...], depth: str) -> tuple[Resource, ...]:
    """Return what a listing names; complete, for it names what was asked for too (RFC 4918, 9.1).

    Raises:
        UnexpectedShape: it doesn't, or says that it is cut short.
    """
    resources = propfind(client, path, names, depth).resources
    asked = f"PROPFIND {path} with depth {depth}"
    if any(resource.status == 507 for resource in resources):
        raise _incomplete(client, asked, "the server cuts the listing short (507)")
    if not resources or (depth != "0" and not _has_itself(path, resources)):
        raise _incomplete(client, asked, f"{len(resources)} resources, and not the one that was asked for")
    return resources


def _has_itself(path: str, resources: tuple[Resource, ...]) -> bool:
    """Return whether a listing names its folder, under the path that was asked for or that a redirect led to."""
    paths = [unquote(resource.path).rstrip("/") + "/" for resource in resources]
    shortest = min(paths, key=len)
    return unquote(path).rstrip("/") + "/" in paths or (len(paths) > 1 and all(p.startswith(shortest) for p in paths))


def _incomplete(client: Client, asked: str, got: str) -> UnexpectedShape:
    step = "nothing was deleted; run again, and report it to the server's maker if it stays"
    return UnexpectedShape(client.integration, asked, got, step)


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
