"""Find the calendars of an account: address → principal → calendar home → calendars (RFC 5397, RFC 4791, 6.2.1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from leat.sources.calendar.caldav.client import Client
from leat.sources.calendar.caldav.dav import members, propfind
from leat.sources.calendar.ics.lines import zone_id
from leat.sources.errors import Forbidden, IntegrationError, NotFound, UnexpectedShape
from leat.sources.http.multistatus import Resource
from leat.sources.http.safe_xml import clark

_PROPERTIES = (
    "D:resourcetype",
    "D:displayname",
    "S:getctag",
    "D:sync-token",
    "D:supported-report-set",
    "C:supported-calendar-component-set",
    "C:calendar-description",
    "I:calendar-color",
    "C:calendar-timezone",
    "D:owner",
    "D:current-user-privilege-set",
    "D:acl",
    "S:invite",
    "O:invite",
)
_WHO = ("D:resourcetype", "D:current-user-principal", "C:calendar-home-set")


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar collection as one PROPFIND shows it.

    Attributes:
        path: path on the server; its identity.
        row: the row of the stream ``calendars``.
        token: sync token, where the server has sync-collection (RFC 6578).
        ctag: tag that changes with any member, where the server has it.
        resource: all that the server said.
        failure: why a calendar that is there can't be listed; None for one that can.
    """

    path: str
    row: dict[str, Any]
    token: str | None
    ctag: str | None
    resource: Resource
    failure: IntegrationError | None = None


def find_roots(client: Client) -> list[tuple[str, str]]:
    """Return paths to list calendars at, each with the depth: ``1`` for a home, ``0`` for a calendar itself.

    Raises:
        NotFound: the address leads to no calendar.
    """
    path = urlsplit(client.url).path or "/"
    here = members(client, path, _WHO, "0")[0]
    if clark("C:calendar") in _kinds(here):
        return [(here.path, "0")]
    homes = list(_hrefs(client, here, "C:calendar-home-set"))
    if not homes:
        for principal in _principals(client, here):
            resources = propfind(client, principal, _WHO, "0").resources
            homes += [home for resource in resources for home in _hrefs(client, resource, "C:calendar-home-set")]
    if homes:
        return [(home, "1") for home in dict.fromkeys(homes)]
    if clark("D:collection") in _kinds(here):
        return [(here.path, "1")]
    raise NotFound(
        client.integration,
        f"looking for calendars at {path}",
        "no calendar, principal or calendar home is there",
        "set connection.url to the server's CalDAV address",
    )


def _principals(client: Client, here: Resource) -> list[str]:
    principals = list(_hrefs(client, here, "D:current-user-principal"))
    if principals:
        return principals
    try:
        resources = propfind(client, "/.well-known/caldav", _WHO, "0").resources  # RFC 6764
    except NotFound:
        return []
    return [href for resource in resources for href in _hrefs(client, resource, "D:current-user-principal")]


def addresses_of(client: Client) -> list[str]:
    """Return the calendar addresses of the account (RFC 6638, 2.4.1): of mail, and others."""
    here = members(client, urlsplit(client.url).path or "/", _WHO, "0")[0]
    pages = [propfind(client, each, ("C:calendar-user-address-set",), "0") for each in _principals(client, here)]
    holders = [each.properties.get(clark("C:calendar-user-address-set")) for page in pages for each in page.resources]
    return [href.text or "" for holder in holders if holder is not None for href in holder.iter(clark("D:href"))]


def list_calendars(
    client: Client, roots: list[tuple[str, str]], before: Collection[str] = frozenset()
) -> list[Calendar]:
    """Return every calendar below the roots that can hold events, ordered by path; one request for each root.

    Args:
        client: the connection.
        roots: where calendars are.
        before: paths that were calendars; one that the server now lists without its type has failed.

    Raises:
        UnexpectedShape: a listing isn't complete.
    """
    result: dict[str, Calendar] = {}
    for path, depth in roots:
        for resource in members(client, path, _PROPERTIES, depth):
            calendar = _calendar(client, resource) or _failed(client, resource, before)
            if calendar is not None:
                result[calendar.path] = calendar
    return [result[path] for path in sorted(result)]


def _failed(client: Client, resource: Resource, before: Collection[str]) -> Calendar | None:
    """Return a calendar that the server fails on; None for what is gone, or is something else."""
    path = _folder(resource.path)
    if resource.status in (404, 410) or clark("D:resourcetype") in resource.properties:
        return None
    if path not in before and resource.status < 500:
        return None  # most servers name what the account may not read
    got = f"HTTP {resource.status} for it" if resource.status != 200 else "the answer doesn't say what it is"
    step = "let the account read this calendar, fix it on the server, or leave it out of connection.calendars"
    kind = Forbidden if resource.status == 403 else UnexpectedShape
    error = kind(client.integration, f"PROPFIND of the calendar {path}", got, step)
    return Calendar(path, {}, None, None, resource, error)


def _folder(path: str) -> str:
    return path if path.endswith("/") else path + "/"


def is_wanted(calendar: Calendar, wanted: tuple[str, ...] | None) -> bool:
    """Return whether ``connection.calendars`` names the calendar: by its name, its path, or the path's last part."""
    if wanted is None or calendar.failure is not None:
        return True
    path = unquote(calendar.path).strip("/")
    return bool({calendar.row["name"], path, path.rpartition("/")[2]} & {name.strip("/") for name in wanted})


def _calendar(client: Client, resource: Resource) -> Calendar | None:
    if clark("C:calendar") not in _kinds(resource):
        return None
    components = [
        element.get("name", "").upper()
        for holder in [resource.properties.get(clark("C:supported-calendar-component-set"))]
        if holder is not None
        for element in holder.iter(clark("C:comp"))
    ]
    if components and "VEVENT" not in components:
        return None
    token = resource.text("D:sync-token") if _has_sync(resource) else None
    path = _folder(resource.path)
    row = {
        "calendar": path,
        "name": resource.text("D:displayname"),
        "description": resource.text("C:calendar-description"),
        "color": resource.text("I:calendar-color"),
        "timezone": _timezone(resource),
        "owner": next(_hrefs(client, resource, "D:owner"), None),
        "components": sorted(components) or None,
        "privileges": privileges(resource) or None,
        "supports_sync": token is not None,
    }
    return Calendar(path, row, token, resource.text("S:getctag"), resource)


def privileges(resource: Resource) -> list[str]:
    """Return the names of what the account may do with a resource (RFC 3744, 5.5), sorted."""
    holder = resource.properties.get(clark("D:current-user-privilege-set"))
    if holder is None:
        return []
    return sorted({_local(child.tag) for element in holder.iter(clark("D:privilege")) for child in element})


def _has_sync(resource: Resource) -> bool:
    holder = resource.properties.get(clark("D:supported-report-set"))
    return holder is not None and next(holder.iter(clark("D:sync-collection")), None) is not None


def _timezone(resource: Resource) -> str | None:
    match = re.search(r"^TZID[^:\r\n]*:([^\r\n]+)", resource.text("C:calendar-timezone") or "", re.MULTILINE)
    return zone_id(match.group(1)) or None if match else None


def _kinds(resource: Resource) -> set[str]:
    holder = resource.properties.get(clark("D:resourcetype"))
    return set() if holder is None else {child.tag for child in holder}


def _hrefs(client: Client, resource: Resource, name: str) -> Iterator[str]:
    """Yield the addresses in a property: a path on this server, a URL elsewhere."""
    holder = resource.properties.get(clark(name))
    for element in () if holder is None else holder.iter(clark("D:href")):
        text = (element.text or "").strip()
        with suppress(ValueError):  # no address at all
            url = urljoin(client.url, text)
            same = urlsplit(url).netloc == urlsplit(client.url).netloc
            if text:
                yield urlsplit(url).path if same else url


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
