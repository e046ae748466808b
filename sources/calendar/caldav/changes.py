"""Which files of a calendar changed or went since the last run.

The ladder: a sync token that is the same means nothing changed; else sync-collection reports changes and tombstones
(RFC 6578); without it, a ctag that is the same means nothing changed; else a complete listing is compared by etag. A
token that the server no longer accepts leads to a complete listing, compared by etag as well: nothing is lost, what is
gone is noticed, and only what changed is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from leat.sources.calendar.caldav.client import Answer, Client, precondition, raise_for
from leat.sources.calendar.caldav.dav import members, multistatus, propfind, report
from leat.sources.calendar.caldav.discovery import Calendar
from leat.sources.calendar.caldav.fetch import fetch
from leat.sources.errors import UnexpectedShape
from leat.sources.events import Logged
from leat.sources.http.multistatus import Resource
from leat.sources.http.safe_xml import clark

INVALID_TOKEN = frozenset({403, 409, 410, 412, 418, 507})
"""What servers answer to a token they no longer know; RFC 6578 says 403 with ``valid-sync-token``."""


@dataclass(slots=True)
class Changes:
    """What happened in one calendar.

    Attributes:
        changed: names of files that are new or have another etag.
        gone: names of files that the cursor knows and that no longer exist.
        items: every file's name with a digest of its etag, after this run.
        token: the sync token to go on from.
        log: what the integration's log should know.
        because: what proves that the listing was complete; empty when nothing was listed.
    """

    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    items: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    log: list[Logged] = field(default_factory=list)
    because: str = ""


def changes_since(client: Client, calendar: Calendar, state: Mapping[str, Any] | None) -> Changes:
    """Return what changed in a calendar since ``state``, which is its part of the cursor; None for everything."""
    before = dict((state or {}).get("items") or {})
    old = (state or {}).get("token")
    if calendar.token is not None:
        if old == calendar.token:
            return Changes(items=before, token=old)
        return _synced(client, calendar, before, old)
    if state is not None and calendar.ctag is not None and state.get("ctag") == calendar.ctag:
        return Changes(items=before)
    changes = _compared(client, calendar, before, _listed(client, calendar))
    changes.because = "etags compared with a listing that names the calendar itself"
    return changes


def _synced(client: Client, calendar: Calendar, before: dict[str, str], old: str | None) -> Changes:
    if old:
        answer = _sync_collection(client, calendar, old, INVALID_TOKEN)
        if answer.status == 207:
            listed, tombs, token = _pages(client, calendar, answer, old)
            changes = _delta(before, listed, tombs, token)
            changes.because = "sync-collection answered to its end, with a new token"
            return changes
        if answer.status == 403 and "valid-sync-token" not in precondition(answer):
            _still_readable(client, calendar)
        log = [Logged("sync_token_expired", {"calendar": calendar.path, "status": answer.status})]
    else:
        log = []
    answer = _sync_collection(client, calendar, "", frozenset())
    listed, _, token = _pages(client, calendar, answer, "")
    changes = _compared(client, calendar, before, listed)
    changes.token, changes.log = token, log
    changes.because = "sync-collection answered to its end, with a token"
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
    seen = {token}
    while True:
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
            if page.token is None:
                step = "nothing was deleted; report this to the server's maker"
                got = f"{len(listed)} files and no sync-token, which says that the answer is whole"
                raise UnexpectedShape(client.integration, asked, got, step)
            return listed, tombs, page.token
        if page.token is None or page.token in seen:
            break
        token = page.token
        seen.add(token)
        answer = _sync_collection(client, calendar, token, frozenset())
        if answer.status != 207:
            raise_for(client, asked, answer)
    raise UnexpectedShape(
        client.integration, asked, "a truncated result that never ends", "report this to the server's maker"
    )


def _delta(before: dict[str, str], listed: dict[str, str], tombs: set[str], token: str | None) -> Changes:
    changed = [name for name, digest in listed.items() if not digest or before.get(name) != digest]
    gone = [name for name in tombs if name in before]
    items = {name: digest for name, digest in (before | listed).items() if name not in tombs}
    return Changes(sorted(changed), sorted(gone), items, token)


def _compared(client: Client, calendar: Calendar, before: dict[str, str], listed: dict[str, str]) -> Changes:
    """Compare a complete listing with what the cursor knows; what it lacks is asked for before it counts as gone.

    Raises:
        UnexpectedShape: the server delivers a file that its listing lacks.
    """
    gone: set[str] = set()
    there = 0
    for file in fetch(client, calendar, sorted(before.keys() - listed.keys())):
        there += file.content is not None
        if file.failure is None:
            gone.add(file.name)
    if there:
        step = "nothing was deleted; run again, and report it to the server's maker if it stays"
        got = f"{len(listed)} files, without {there} that are there"
        raise UnexpectedShape(client.integration, f"listing of the calendar {calendar.path}", got, step)
    return _delta(before, listed, gone, None)


def _listed(client: Client, calendar: Calendar) -> dict[str, str]:
    result = {}
    for resource in members(client, calendar.path, ("D:getetag", "D:resourcetype"), "1"):
        name = member_name(calendar, resource)
        if name is not None and resource.status not in (404, 410):
            result[name] = _digest(resource)
    return result


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
