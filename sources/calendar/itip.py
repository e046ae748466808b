"""Scheduling messages of iTIP (RFC 5546) made from an event: a request, a cancellation, the reply of an attendee.

They hold what attendees need and nothing else: no reminders, no marks of leat, no properties of single programs.
DTSTAMP is when the message was made, by which of two messages with the same UID and SEQUENCE the later one is
recognised (RFC 5546, 2.1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

from leat.sources.calendar.ics.components import Node
from leat.sources.calendar.ics.editing import Book, Part, answer, put, text_of_calendar
from leat.sources.calendar.ics.lines import name_of, zone_named
from leat.sources.calendar.ics.values import address_of

Method = Literal["REQUEST", "CANCEL", "REPLY"]
_TIMES = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RDATE", "EXDATE")
_ABOUT = frozenset({*_TIMES, "UID", "SUMMARY", "ORGANIZER", "SEQUENCE", "LOCATION", "RRULE"})
_SENT = _ABOUT | {"DESCRIPTION", "STATUS", "TRANSP", "CLASS", "PRIORITY", "CATEGORIES", "URL", "GEO", "CONFERENCE"}
"""Properties that attendees are sent; ATTENDEE and DTSTAMP are written separately."""


def request(book: Book, parts: Sequence[Part], now: datetime) -> str:
    """Return the invitation to an event, or what has changed of it (RFC 5546, 3.2.2).

    Args:
        book: the file of the event.
        parts: what of it: all, or one occurrence.
        now: when the message is made.
    """
    return _message("REQUEST", book, [_copied(part, _SENT, lambda _: True, now) for part in parts])


def cancellation(book: Book, parts: Sequence[Part], attendees: Sequence[str], now: datetime) -> str:
    """Return that an event is cancelled, for these attendees (RFC 5546, 3.2.5)."""
    nodes = [_copied(part, _SENT, lambda address: address in attendees, now) for part in parts]
    for node in nodes:
        put(node, "STATUS", "STATUS:CANCELLED")
    return _message("CANCEL", book, nodes)


def reply(book: Book, parts: Sequence[Part], attendee: str, status: str, now: datetime) -> str:
    """Return the answer of an attendee, and of nobody else (RFC 5546, 3.2.3).

    Args:
        book: the file of the event.
        parts: what of it is answered.
        attendee: mail address.
        status: ``ACCEPTED``, ``DECLINED`` or ``TENTATIVE``.
        now: when the message is made.
    """
    nodes = [_copied(part, _ABOUT, lambda address: address == attendee, now) for part in parts]
    for node in nodes:
        answer(node, frozenset({attendee}), status)
    return _message("REPLY", book, nodes)


def _copied(part: Part, names: frozenset[str], wanted: Callable[[str], bool], now: datetime) -> Node:
    lines = [f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"]
    for line in part.node.lines:
        name = name_of(line)
        if name in names or (name == "ATTENDEE" and wanted(address_of(_value(line)))):
            lines.append(line)
    if not any(name_of(line) == "SEQUENCE" for line in lines):
        lines.append(f"SEQUENCE:{part.event.sequence}")
    return Node("VEVENT", lines, closed=True)


def _value(line: str) -> str:
    """Return the value of a line whose parameters may hold colons in quotes."""
    inside = False
    for at, character in enumerate(line):
        inside ^= character == '"'
        if character == ":" and not inside:
            return line[at + 1 :]
    return ""


def _message(method: Method, book: Book, nodes: Sequence[Node]) -> str:
    named = {zone_named([line], name_of(line)) for node in nodes for line in node.lines if name_of(line) in _TIMES}
    zones = [
        child
        for child in book.calendar.children
        if child.name == "VTIMEZONE"
        and any(line.partition(":")[2].strip() in named for line in child.originals("TZID"))
    ]
    head = ["PRODID:-//leat//EN", "VERSION:2.0", f"METHOD:{method}"]
    return text_of_calendar(Node("VCALENDAR", head, [*zones, *nodes], closed=True))


def _names(zone: Node) -> list[str]:
    return [line.partition(":")[2].strip() for line in zone.originals("TZID")]
