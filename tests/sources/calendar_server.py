"""A CalDAV server in a dictionary, which can be made to lie: for what real servers can't be made to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.sources.calendar_faults import Reply

HOME = "/home/"
_OK = "HTTP/1.1 200 OK"
_CALENDAR = '<resourcetype><collection/><C:calendar xmlns:C="urn:ietf:params:xml:ns:caldav"/></resourcetype>'
_REPORT = "<supported-report><report><sync-collection/></report></supported-report>"
_SYNC = f"<supported-report-set>{_REPORT}</supported-report-set>"
_HOME_SET = '<C:calendar-home-set xmlns:C="urn:ietf:params:xml:ns:caldav"><href>/home/</href></C:calendar-home-set>'


def response(path: str, inner: str = "", status: str = _OK) -> str:
    """Return one response of a multistatus: with properties, or with a status of its own."""
    if status != _OK:
        return f"<response><href>{path}</href><status>{status}</status></response>"
    return f"<response><href>{path}</href><propstat><prop>{inner}</prop><status>{_OK}</status></propstat></response>"


def multistatus(*responses: str, token: str | None = None) -> Reply:
    """Return a 207 answer."""
    end = "" if token is None else f"<sync-token>{token}</sync-token>"
    return 207, {}, f'<multistatus xmlns="DAV:">{"".join(responses)}{end}</multistatus>'.encode()


@dataclass
class Calendars:
    """Files by calendar and name; ``lie`` may answer a request instead, given method, path and body.

    Attributes:
        files: the content of each file of each calendar.
        version: raised with every change.
        syncs: whether there is sync-collection.
        page: how many files an answer to sync-collection holds; the rest comes when it is asked for (RFC 6578, 3.6).
        changes: version, calendar and file of each change that :meth:`put` and :meth:`delete` made.
        charset: what a GET declares.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    version: int = 1
    syncs: bool = True
    charset: str = "utf-8"
    page: int = 10**9
    changes: list[tuple[int, str, str]] = field(default_factory=list)
    lie: Callable[[str, str, str], Reply | None] = lambda *_: None

    def __call__(self, method: str, path: str, body: str) -> Reply | None:
        """Answer a request, as the fault of a server without one behind it."""
        lie = self.lie(method, path, body)
        if lie is not None:
            return lie
        calendar = path[: path.rfind("/") + 1]
        if method == "GET":
            file = self.files.get(calendar, {}).get(unquote(path[len(calendar) :]))
            return (
                (404, {}, b"")
                if file is None
                else (200, {"Content-Type": f"text/calendar; charset={self.charset}"}, file)
            )
        if method == "REPORT" and "calendar-multiget" in body:
            return self._multiget(path, body)
        if method == "REPORT":
            return self._synced(path, re.search(r"sync-token>t(\d+)(?:p(\d+))?<", body))
        return self._propfind(path, body)

    def put(self, path: str, name: str, content: bytes) -> None:
        """Write a file."""
        self.version += 1
        self.files[path][name] = content
        self.changes.append((self.version, path, name))

    def delete(self, path: str, name: str) -> None:
        """Remove a file."""
        self.version += 1
        del self.files[path][name]
        self.changes.append((self.version, path, name))

    def _synced(self, path: str, token: re.Match[str] | None) -> Reply:
        since, place = (0, 0) if token is None else (int(token[1]), int(token[2] or 0))
        names = sorted({name for version, at, name in self.changes if at == path and version > since})
        names = sorted(self.files[path]) if since == 0 else names
        some, more = names[place : place + self.page], len(names) > place + self.page
        full = response(path, status="HTTP/1.1 507 Insufficient Storage")
        token_after = f"t{since}p{place + self.page}" if more else f"t{self.version}"
        return multistatus(*(self.file(path, name) for name in some), *([full] if more else ()), token=token_after)

    def listed(self, path: str) -> list[str]:
        """Return the responses for the files of a calendar."""
        return [self.file(path, name) for name in self.files[path]]

    def file(self, path: str, name: str) -> str:
        """Return the response for a file, or that it is gone."""
        content = self.files[path].get(name)
        if content is None:
            return response(path + name, status="HTTP/1.1 404 Not Found")
        return response(path + name, f"<getetag>{hash(content)}</getetag>")

    def calendar(self, path: str) -> str:
        """Return the response for a calendar."""
        sync = f"{_SYNC}<sync-token>t{self.version}</sync-token>" if self.syncs else ""
        return response(path, f"{_CALENDAR}<displayname>{path}</displayname>{sync}")

    def _propfind(self, path: str, body: str) -> Reply:
        if path == HOME:
            return multistatus(
                response(HOME, "<resourcetype><collection/></resourcetype>"), *map(self.calendar, self.files)
            )
        if path not in self.files:
            return multistatus(response(path, _HOME_SET)) if path == "/" else (404, {}, b"")
        return multistatus(self.calendar(path), *(self.listed(path) if "getetag" in body else ()))

    def _multiget(self, path: str, body: str) -> Reply:
        result = []
        for href in re.findall(r"<D:href>([^<]*)</D:href>", body):
            content = self.files[path].get(unquote(href[len(path) :]))
            if content is not None and not _is_text(content):
                return 500, {}, b""
            if content is None:
                result.append(response(href, status="HTTP/1.1 404 Not Found"))
            else:
                text = escape(content.decode(), {"\r": "&#13;"})
                data = f'<C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav">{text}</C:calendar-data>'
                result.append(response(href, f"<getetag>{hash(content)}</getetag>{data}"))
        return multistatus(*result)


def _is_text(content: bytes) -> bool:
    """Return whether a server that holds text in XML can deliver a file; the whole answer fails on another."""
    try:
        return not re.search("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", content.decode())
    except UnicodeDecodeError:
        return False
