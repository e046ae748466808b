"""Read files of a calendar: calendar-multiget in batches (RFC 4791, 7.9), and one by one where a server fails on one.

Some servers fail on a whole batch when one file in it is broken: Xandikos answers 500 to a file that is no UTF-8, and
XML that can't be parsed to one with control characters. The batch is then halved until the file is alone, which is
asked for with GET; only when that fails too is the file unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote
from xml.sax.saxutils import escape

from leat.sources.calendar.caldav.client import Client, precondition, raise_for, request
from leat.sources.calendar.caldav.dav import multistatus, propfind, report
from leat.sources.calendar.caldav.discovery import Calendar
from leat.sources.errors import UnexpectedShape

BATCH = 100
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)
_ACCEPT = frozenset({400, 404, 500, 501, 507})
_GONE = frozenset({404, 410})
_ONE_FILE = frozenset({400, 403, 405, 406, 409, 415, 422, 423, 451, 500, 501, 507, 508}) | _GONE
"""Statuses that may concern one file alone; a request for the calendar itself shows whether they do."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a calendar.

    Attributes:
        name: its name in the calendar, as the server writes it.
        content: text, or bytes as they are; None when it is gone or the server can't deliver it.
        etag: its version, as the server writes it.
        failure: why the server can't deliver it; None when it did or when the file is gone.
        charset: the encoding of bytes that the server declares; None if none.
    """

    name: str
    content: str | bytes | None
    etag: str | None = None
    failure: str | None = None
    charset: str | None = None


def fetch(client: Client, calendar: Calendar, names: Sequence[str]) -> Iterator[File]:
    """Yield each of the files, in no particular order.

    Raises:
        IntegrationError: the server, not one file, fails.
    """
    for start in range(0, len(names), BATCH):
        yield from _batch(client, calendar, names[start : start + BATCH])


def _batch(client: Client, calendar: Calendar, names: Sequence[str]) -> Iterator[File]:
    files = _multiget(client, calendar, names)
    if files is None and len(names) > 1:
        middle = len(names) // 2
        yield from _batch(client, calendar, names[:middle])
        yield from _batch(client, calendar, names[middle:])
        return
    for name in names:
        file = (files or {}).get(unquote(name))
        yield replace(file, name=name) if file is not None else _get(client, calendar, name)


def _multiget(client: Client, calendar: Calendar, names: Sequence[str]) -> dict[str, File] | None:
    """Return what a multiget delivers, by decoded name; None when it fails as a whole."""
    hrefs = "".join(f"<D:href>{escape(calendar.path + name)}</D:href>" for name in names)
    inner = f"<D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}"
    answer = report(client, calendar.path, "C:calendar-multiget", inner, "0", _ACCEPT)
    if answer.status in _ACCEPT:
        return None
    try:
        page = multistatus(client, f"REPORT calendar-multiget {calendar.path}", answer)
    except UnexpectedShape:
        return None
    result = {}
    for resource in page.resources:
        name = resource.path.rpartition("/")[2]
        content = resource.text("C:calendar-data")
        if name and resource.status in _GONE:
            result[unquote(name)] = File(name, None)
        elif name and content:
            result[unquote(name)] = File(name, content, resource.text("D:getetag"))
    return result


def _get(client: Client, calendar: Calendar, name: str) -> File:
    path = calendar.path + name
    answer = request(client, "GET", path, accept=_ONE_FILE)
    if answer.status in _GONE:
        return File(name, None)
    if answer.status in _ONE_FILE:
        # A server that is down, or no longer lets the account in, fails on the calendar too; then this raises.
        if any(r.status == 200 for r in propfind(client, calendar.path, ("D:resourcetype",), "0").resources):
            failure = f"the server answers HTTP {answer.status}{precondition(answer)} when asked for it"
            return File(name, None, failure=failure)
        raise_for(client, f"GET {path}", answer)
    charset = _CHARSET.search(answer.headers.get("Content-Type") or "")
    return File(name, answer.body, answer.headers.get("ETag"), charset=charset[1] if charset else None)
