"""The account that is acted on: looks up calendars and events, and makes one request that changes something.

Every change is on condition: ``If-None-Match: *`` for what must not be there, ``If-Match`` with the ETag that was
planned on for what is (RFC 9110, 13.1; RFC 4791, 5.3.4). So the server refuses a second one, and what a person has
changed meanwhile is never overridden.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from leat.sources.actions import Refused
from leat.sources.calendar.availability import Period
from leat.sources.calendar.caldav.actions.busy import File, busy_periods
from leat.sources.calendar.caldav.client import Client
from leat.sources.calendar.caldav.dav import multistatus, report
from leat.sources.calendar.caldav.discovery import (
    Calendar,
    addresses_of,
    find_roots,
    is_wanted,
    list_calendars,
    privileges,
)
from leat.sources.calendar.caldav.driver import Connection, open_connection
from leat.sources.calendar.ics.components import decode
from leat.sources.calendar.ics.editing import Book, read_book
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.values import address_of
from leat.sources.driver import Sync
from leat.sources.errors import Outdated
from leat.sources.http.request import Answer, HttpRequest, Limits
from leat.sources.settings import read_setting

if TYPE_CHECKING:
    from leat.sources.email.imap.actions.outgoing import Outgoing

_WITHIN = 15.0
"""Seconds that one request may take."""
_GONE = frozenset({404, 410})
_TEMPLATE = "/{calendar}/{event}"
_WRITES = frozenset({"write", "write-content", "bind", "all"})


@dataclass(frozen=True, slots=True)
class Account:
    """An account on a server.

    Attributes:
        client: the connection.
        connection: its declaration.
        username: its login; empty where it has none.
        mail: opens the mail server to send by it, when it is first needed.
        listed: lists the calendars, when they are first needed.
    """

    client: Client
    connection: Connection
    username: str
    mail: Callable[[], Outgoing]
    listed: Callable[[], Sequence[Calendar]]

    def calendar(self, name: str, *, to_write: bool = True) -> Calendar:
        """Return the calendar of a name or path.

        Raises:
            Refused: there is none, there are several, or the account may not write it.
        """
        listed = [each for each in self.listed() if each.failure is None]
        usable = [each for each in listed if is_wanted(each, self.connection.calendars)]
        named = [each for each in usable if is_wanted(each, (name,))]
        named = [each for each in named if each.path.strip("/") == name.strip("/")] or named
        if len(named) != 1:
            names = ", ".join(each.path for each in named or usable) or "none"
            what = "several calendars have this name" if named else "the account has no such calendar"
            msg = f"calendar: {what}: {name!r}; write one of: {names}"
            raise Refused(msg)
        rights = set(privileges(named[0].resource))
        if to_write and rights and not rights & _WRITES:
            msg = f"calendar: the account may only read {named[0].path}: let it write, or act with another account"
            raise Refused(msg)
        return named[0]

    def busy(self, calendar: str, start: datetime, end: datetime, zone: str) -> list[Period]:
        """Return when a calendar is busy in a period, asked live; whole days and floating times are days in a zone.

        Raises:
            Refused: there is no such calendar, or an event can't be read.
        """
        return busy_periods(self.client, self.calendar(calendar, to_write=False).path, start, end, ZoneInfo(zone))

    def find(self, calendar: Calendar, uid: str) -> File | None:
        """Return the file that holds the events of a UID (RFC 4791, 7.8.6); None when there is none.

        Raises:
            Refused: there are several.
        """
        match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
        event = f'<C:comp-filter name="VEVENT"><C:prop-filter name="UID">{match}</C:prop-filter></C:comp-filter>'
        inner = (
            f'<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR">{event}</C:comp-filter></C:filter>'
        )
        answer = report(self.client, calendar.path, "C:calendar-query", inner, "1", frozenset())
        listed = multistatus(self.client, f"REPORT calendar-query {calendar.path}", answer).resources
        files = [self.read(each.path) for each in listed if each.status == 200]
        files = [each for each in files if each is not None and _has_uid(each.text, uid)]
        if len(files) > 1:
            msg = f"event: several files of {calendar.path} have the UID {uid!r}: delete all but one of them by hand"
            raise Refused(msg)
        return files[0] if files else None

    def event(self, calendar: Calendar, uid: str) -> tuple[File, Book]:
        """Return the file of an event and what it holds.

        Raises:
            Refused: there is none, or it can't be changed safely.
        """
        file = self.find(calendar, uid)
        if file is None:
            msg = f"event: {calendar.path} has no event with the UID {uid!r}"
            raise Refused(msg)
        if not file.etag or file.etag.startswith("W/"):
            msg = "the server gives the event no strong ETag, so a change by somebody else could be overridden"
            raise Refused(msg)
        try:
            return file, read_book(file.text)
        except Unreadable as error:
            msg = f"event: it can't be changed: {error}; change it in a calendar program"
            raise Refused(msg) from None

    def read(self, path: str) -> File | None:
        """Return a file as it is now; None when it isn't there."""
        answer = self.client.send(HttpRequest(path, accept=_GONE, template=_TEMPLATE))
        if answer.status in _GONE:
            return None
        try:
            return File(path, answer.headers.get("ETag"), decode(answer.body))
        except Unreadable as error:
            msg = f"event: {error}"
            raise Refused(msg) from None

    def write(self, path: str, body: bytes, etag: str | None) -> str | None:
        """Write a file, once: one that must have a version, or must not be there; returns its version, if given.

        Raises:
            Outdated: it hasn't, or it is there, or another file has its UID.
            IntegrationError: it failed.
        """
        condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        headers = {"Content-Type": "text/calendar; charset=utf-8", **condition}
        answer = self._change(
            HttpRequest(path, "PUT", headers=headers, body=body, template=_TEMPLATE, repeatable=False)
        )
        if answer.status in _GONE:
            self.outdated(answer.asked, "the calendar isn't there any more")
        return answer.headers.get("ETag")

    def delete(self, path: str, etag: str) -> bool:
        """Delete a file that must have a version, once; returns whether it was there.

        Raises:
            Outdated: it has another version.
            IntegrationError: it failed.
        """
        ask = HttpRequest(path, "DELETE", headers={"If-Match": etag}, template=_TEMPLATE, repeatable=False)
        return self._change(ask).status not in _GONE

    def _change(self, ask: HttpRequest) -> Answer:
        answer = self.client.send(replace(ask, accept=_GONE | {409}))
        if answer.status == 409:
            self.outdated(answer.asked, "HTTP 409: another event has its UID, or the calendar isn't there any more")
        return answer

    def addresses(self) -> frozenset[str]:
        """Return the mail addresses of the account: declared, its login, and what the server says (RFC 6638, 2.4.1)."""
        given = (*self.connection.addresses, self.username, *addresses_of(self.client))
        return frozenset(address for address in map(address_of, given) if "@" in address)

    def outdated(self, what: str, got: str) -> NoReturn:
        """Raise that something isn't any more what was planned on."""
        raise Outdated(self.client.integration, what, got, "plan it again")


def _has_uid(text: str, uid: str) -> bool:
    try:
        return read_book(text).master.event.uid == uid
    except Unreadable:
        return True  # the server says so; what is wrong with it is said when it is to be changed


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Account]:
    """Open an account to act on it."""
    seconds = min(connection.timeout, _WITHIN)
    limits = Limits(timeout=seconds, total=seconds, attempts=1)
    username: Any = ""
    if connection.username is not None:
        username = read_setting(connection.username, sync.integration, sync.project)
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(
            open_connection(connection, sync, limits, forbidden="let the account write this calendar")
        )
        mail = cache(lambda: _mail(connection, sync, stack))
        yield Account(client, connection, username, mail, cache(lambda: list_calendars(client, find_roots(client))))


def _mail(connection: Connection, sync: Sync, stack: contextlib.ExitStack) -> Outgoing:
    from leat.sources.email.imap.actions.outgoing import connect as connect_mail

    if connection.mail is None:
        msg = "no mail can be sent: declare connection.mail"
        raise Refused(msg)
    return stack.enter_context(connect_mail(connection.mail, sync))
