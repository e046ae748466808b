"""Who may see or write a calendar: from its owner, access list (RFC 3744), invitations, and Radicale's sharing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from leat.sources.calendar.caldav.client import Client, request
from leat.sources.calendar.caldav.discovery import Calendar, privileges
from leat.sources.errors import UnexpectedShape
from leat.sources.http.safe_xml import clark

_WRITES = {"write", "write-content", "all", "bind", "read-write"}
_GROUPS = {"all": "everyone", "authenticated": "authenticated", "unauthenticated": "everyone", "self": "user"}


def shares_of(client: Client, calendars: Sequence[Calendar]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the stream ``shares`` by calendar path; at most one request, and only where it is of use."""
    radicale = list(_from_radicale(client, calendars))
    result = {}
    for calendar in calendars:
        rows = [*_owner(calendar), *_acl(calendar), *_invited(calendar)]
        rows += [
            row | {"calendar": calendar.path} for row in radicale if calendar.path in (row["calendar"], row["path"])
        ]
        result[calendar.path] = list({(row["principal"], row["origin"]): row for row in rows}.values())
    return result


def _owner(calendar: Calendar) -> Iterator[dict[str, Any]]:
    owner = calendar.row["owner"]
    if owner:
        yield {"calendar": calendar.path, "principal": _login(owner), "origin": "owner", "kind": "owner"} | {
            "access": "write"
        }


def _login(path: str) -> str:
    """Return the last part of a principal's path: what people know as the login."""
    return unquote(path.rstrip("/").rpartition("/")[2]) or path


def _acl(calendar: Calendar) -> Iterator[dict[str, Any]]:
    """Yield the grants of ``DAV:acl``."""
    acl = calendar.resource.properties.get(clark("D:acl"))
    for ace in () if acl is None else acl.iter(clark("D:ace")):
        principal = ace.find(clark("D:principal"))
        granted = {child.tag.rpartition("}")[2] for privilege in ace.iter(clark("D:privilege")) for child in privilege}
        if principal is None or ace.find(clark("D:grant")) is None or not granted:
            continue
        href = principal.findtext(clark("D:href"))
        word = next((child.tag.rpartition("}")[2] for child in principal), "")
        yield {
            "calendar": calendar.path,
            "principal": _login(href) if href else word,
            "origin": "acl",
            "kind": "user" if href else _GROUPS.get(word, word),
            "access": _access(granted),
        }


def _invited(calendar: Calendar) -> Iterator[dict[str, Any]]:
    """Yield the sharees of ``invite`` (calendarserver-sharing, also ownCloud and Nextcloud)."""
    for prefix in ("S", "O"):
        invite = calendar.resource.properties.get(clark(f"{prefix}:invite"))
        for user in () if invite is None else invite.iter(clark(f"{prefix}:user")):
            href = (user.findtext(clark("D:href")) or "").strip()
            access = user.find(clark(f"{prefix}:access"))
            granted = {child.tag.rpartition("}")[2] for child in access} if access is not None else set()
            if href:
                yield {
                    "calendar": calendar.path,
                    "principal": href.removeprefix("mailto:") if href.startswith("mailto:") else _login(href),
                    "origin": "invite",
                    "kind": "group" if "/groups/" in href else "user",
                    "access": _access(granted),
                    "enabled_by_principal": user.find(clark(f"{prefix}:invite-accepted")) is not None,
                }


def _access(granted: set[str]) -> str | None:
    if granted & _WRITES:
        return "write"
    if "read" in granted:
        return "read"
    return "free_busy" if "read-free-busy" in granted else None


def _from_radicale(client: Client, calendars: Sequence[Calendar]) -> Iterator[dict[str, Any]]:
    """Yield what Radicale's sharing API lists (``POST /.sharing/v1/all/list``), where the account may share."""
    if not any({"share-map", "share-token"} & set(privileges(calendar.resource)) for calendar in calendars):
        return
    answer = request(client, "POST", "/.sharing/v1/all/list", "{}", kind="application/json", accept=frozenset({404}))
    if answer.status == 404:
        return
    try:
        shares = list(json.loads(answer.body).get("Content") or [])
        yield from [_radicale_share(share) for share in shares]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnexpectedShape(
            client.integration,
            "POST /.sharing/v1/all/list",
            "an answer that isn't the list of shares that Radicale documents",
            "update Radicale or leat",
        ) from None


def _radicale_share(share: dict[str, Any]) -> dict[str, Any]:
    link = share["ShareType"] == "token"
    permissions = share["Permissions"] or ""
    row = {
        "calendar": quote(share["PathMapped"]),
        "principal": "link:" + sha256(share["PathOrToken"].encode()).hexdigest()[:12] if link else share["User"],
        "origin": "radicale",
        "kind": "link" if link else "user",
        "access": "write" if "w" in permissions else "read" if "r" in permissions else None,
        "path": None if link else quote(share["PathOrToken"]),
        "enabled_by_owner": share["EnabledByOwner"],
        "enabled_by_principal": None if link else share["EnabledByUser"],
    }
    for column, key in (("created", "TimestampCreated"), ("updated", "TimestampUpdated")):
        with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
            row[column] = datetime.fromtimestamp(share[key], UTC)
    return row
