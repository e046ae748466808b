"""Which files of a calendar changed or went since the last run.

The ladder: a sync token that is the same means nothing changed; else sync-collection reports changes and tombstones
(RFC 6578); without it, a ctag that is the same means nothing changed; else a complete listing is compared by etag. A
token that the server no longer accepts leads to a complete listing, compared by etag as well: nothing is lost, what is
gone is found, and only what changed is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from sources.calendar.client import Answer, Client, precondition, raise_for
from sources.calendar.dav import multistatus, propfind, report
from sources.calendar.discovery import Calendar
from sources.errors import UnexpectedShape
from sources.events import Logged
from sources.web.multistatus import Resource
from sources.web.safe_xml import clark

INVALID_TOKEN = frozenset({403, 409, 410, 412, 418, 507})
"""What servers answer to a token they no longer know; RFC 6578 says 403 with ``valid-sync-token``."""
MAX_PAGES = 10_000


@dataclass(slots=True)
class Changes:
    """What happened in one calendar.

    Attributes:
        changed: names of files that are new or have another etag.
        gone: names of files that the cursor knows and that no longer exist.
        items: every file's name with a digest of its etag, after this run.
        token: the sync token to go on from.
        log: what the integration's log should know.
    """

    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    log: list[Logged] = field(default_factory=list)


def changes_since(client: Client, calendar: Calendar, state: Mapping[str, Any] | None) -> Changes:
    """Return what changed in a calendar since ``state``, which is its part of the cursor; None for everything."""
    known = dict((state or {}).get("items") or {})
    old = (state or {}).get("token")
    if calendar.token is not None:
        if old == calendar.token:
            return Changes(items=known, token=old)
        return _synced(client, calendar, known, old)
    if state is not None and calendar.ctag is not None and state.get("ctag") == calendar.ctag:
        return Changes(items=known)
    return _compared(known, _listed(client, calendar))


def _synced(client: Client, calendar: Calendar, known: dict[str, str], old: str | None) -> Changes:
    if old:
        answer = _sync_collection(client, calendar, old, INVALID_TOKEN)
        if answer.status == 207:
            listed, tombs, token = _pages(client, calendar, answer, old)
            return _delta(known, listed, tombs, token)
        if answer.status == 403 and "valid-sync-token" not in precondition(answer):
            _still_readable(client, calendar)
        log = [Logged("sync_token_expired", {"calendar": calendar.path, "status": answer.status})]
    else:
        log = []
    answer = _sync_collection(client, calendar, "", frozenset())
    listed, _, token = _pages(client, calendar, answer, "")
    changes = _compared(known, listed)
    changes.token, changes.log = token, log
    return changes


def _still_readable(client: Client, calendar: Calendar) -> None:
    """Raise Forbidden when a 403 was about the calendar and not about the token."""
    propfind(client, calendar.path, ("D:getetag",), "0")


def _sync_collection(client: Client, calendar: Calendar, token: str, accept: frozenset[int]) -> Answer:
    inner = (
        f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/><D:resourcetype/></D:prop>"
    )
    return report(client, calendar.path, "D:sync-collection", inner, "0", accept)


def _pages(
    client: Client, calendar: Calendar, answer: Answer, token: str
) -> tuple[dict[str, str], set[str], str | None]:
    """Read a truncated result to its end (RFC 6578, 3.6): 507 for the collection itself means that more is to come."""
    asked = f"REPORT sync-collection {calendar.path}"
    listed: dict[str, str] = {}
    tombs: set[str] = set()
    for _ in range(MAX_PAGES):
        page = multistatus(client, asked, answer)
        more = False
        for resource in page.resources:
            name = member_name(calendar, resource)
            if name is None:
                more = more or resource.status == 507
            elif resource.status in (404, 410):
                listed.pop(name, None)
                tombs.add(name)
            else:
                listed[name] = _digest(resource)
                tombs.discard(name)
        if not more:
            return listed, tombs, page.token
        if page.token is None or page.token == token:
            break
        token = page.token
        answer = _sync_collection(client, calendar, token, frozenset())
        if answer.status != 207:
            raise_for(client, asked, answer)
    raise UnexpectedShape(
        client.integration, asked, "a truncated result that never ends", "report this to the server's maker"
    )


def _delta(known: dict[str, str], listed: dict[str, str], tombs: set[str], token: str | None) -> Changes:
    changed = [name for name, digest in listed.items() if not digest or known.get(name) != digest]
    gone = [name for name in tombs if name in known]
    items = {name: digest for name, digest in (known | listed).items() if name not in tombs}
    return Changes(sorted(changed), sorted(gone), items, token)


def _compared(known: dict[str, str], listed: dict[str, str]) -> Changes:
    """Compare a complete listing with what the cursor knows."""
    return _delta(known, listed, known.keys() - listed.keys(), None)


def _listed(client: Client, calendar: Calendar) -> dict[str, str]:
    found = {}
    for resource in propfind(client, calendar.path, ("D:getetag", "D:resourcetype"), "1").resources:
        name = member_name(calendar, resource)
        if name is not None:
            found[name] = _digest(resource)
    return found


def member_name(calendar: Calendar, resource: Resource) -> str | None:
    """Return the name of a file in the calendar, as the server writes it; None for the calendar and for folders."""
    kinds = resource.properties.get(clark("D:resourcetype"))
    if kinds is not None and kinds.find(clark("D:collection")) is not None:
        return None
    if unquote(resource.path).rstrip("/") == unquote(calendar.path).rstrip("/"):
        return None
    return resource.path.rpartition("/")[2] or None


def _digest(resource: Resource) -> str:
    """Return a short digest of the etag; empty, thus always changed, when the server gives none."""
    etag = resource.text("D:getetag")
    return sha256(etag.encode()).hexdigest()[:12] if etag else ""
