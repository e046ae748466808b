"""Changes events in a calendar file: only the lines of what changes are replaced, all others stay.

So whatever another program has put into an event, also what nobody here understands, is there afterwards. New lines are
written by ``icalendar``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from leat.sources.calendar.ics.components import Node, split
from leat.sources.calendar.ics.ical import Event, parse_event, zones_of
from leat.sources.calendar.ics.lines import name_of
from leat.sources.calendar.ics.reasons import Unreadable, reason_of
from leat.sources.calendar.ics.times import on_wall
from leat.sources.calendar.ics.values import address_of

MARK = "X-LEAT-ACTION"
"""Property with the id of each action that has changed an event."""
MARKS = 20
"""How many ids an event holds at most; the oldest go first."""
_OF_A_SERIES = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})
_HEAD = re.compile(r'((?:"[^"]*"|[^":])*):')
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*((?:"[^"]*"|[^";])*)')


@dataclass(frozen=True, slots=True)
class Part:
    """An event of a file: as text, to be changed, and parsed, as it was read."""

    node: Node
    event: Event


@dataclass(frozen=True, slots=True)
class Book:
    """A calendar file with the events of one UID.

    Attributes:
        calendar: the file.
        parts: its events, the series or single event first.
    """

    calendar: Node
    parts: tuple[Part, ...]

    @property
    def master(self) -> Part:
        """Return the series, or the event that isn't one."""
        return self.parts[0]

    @property
    def events(self) -> list[Event]:
        """Return the parsed events."""
        return [part.event for part in self.parts]

    def text(self) -> str:
        """Return the file, with its lines folded at 75 bytes (RFC 5545, 3.1)."""
        return text_of_calendar(self.calendar)


def text_of_calendar(calendar: Node) -> str:
    """Return a calendar as the text of a file, with its lines folded at 75 bytes (RFC 5545, 3.1)."""
    return "".join(f"{each}\r\n" for each in _lines(calendar))


def read_book(text: str) -> Book:
    """Read a file to change it.

    Raises:
        Unreadable: it isn't one VCALENDAR with the whole events of one UID; the text says why.
    """
    root = split(text)
    calendars = root.children
    if len(calendars) != 1 or root.lines or not _is_whole(calendars[0]):
        msg = "the file isn't exactly one whole VCALENDAR"
        raise Unreadable(msg)
    zones = zones_of(calendars[0])
    try:
        parts = [Part(node, parse_event(node, zones)) for node in calendars[0].children if node.name == "VEVENT"]
    except Exception as error:
        raise Unreadable(reason_of(error, "the event")) from None
    masters = [part for part in parts if part.event.when("RECURRENCE-ID") is None]
    if len({part.event.uid for part in parts}) != 1 or len(masters) != 1:
        msg = "the file doesn't have exactly one event or series"
        raise Unreadable(msg)
    return Book(calendars[0], (masters[0], *(part for part in parts if part is not masters[0])))


def _is_whole(node: Node) -> bool:
    return node.closed and not node.wrong_end and all(map(_is_whole, node.children))


def _lines(node: Node) -> Iterator[str]:
    from icalendar.parser import Contentline

    yield f"BEGIN:{node.name}"
    for line in node.lines:
        folded: bytes = Contentline(line, strict=False).to_ical()  # type: ignore[no-untyped-call]
        yield folded.decode()
    for child in node.children:
        yield from _lines(child)
    yield f"END:{node.name}"


def line_of(name: str, value: Any) -> str:
    """Return a property as a line, unfolded."""
    import icalendar

    component = icalendar.Event()
    component.add(name, value)
    return str(component.content_line(name, component[name]))


def put(node: Node, name: str, *lines: str) -> None:
    """Put lines in the place of those of a property; at the end where there are none."""
    at = next((at for at, line in enumerate(node.lines) if name_of(line) == name), len(node.lines))
    rest = [line for line in node.lines if name_of(line) != name]
    node.lines[:] = [*rest[:at], *lines, *rest[at:]]


def put_text(node: Node, name: str, text: str) -> None:
    """Set a property to a text; an empty one removes it."""
    put(node, name, *([line_of(name, text)] if text else []))


def marks_of(node: Node) -> list[str]:
    """Return the ids of actions that have changed an event, the latest last."""
    return [line.partition(":")[2].strip() for line in node.originals(MARK)]


def mark(part: Part, action: str, now: datetime, sequence: int | None) -> None:
    """Note on an event that an action changes it.

    Args:
        part: the event.
        action: id of the action.
        now: when, UTC.
        sequence: its new number of revisions; None where only an attendee answers (RFC 5546, 2.1.4).
    """
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    put(part.node, "DTSTAMP", f"DTSTAMP:{stamp}")
    put(part.node, "LAST-MODIFIED", f"LAST-MODIFIED:{stamp}")
    if sequence is not None:
        put(part.node, "SEQUENCE", f"SEQUENCE:{sequence}")
    marks = [each for each in marks_of(part.node) if each != action]
    put(part.node, MARK, *(f"{MARK}:{each}" for each in [*marks, action][-MARKS:]))


def put_times(part: Part, start: date, end: date | None) -> None:
    """Set start and end; both stay in the zone in which the event has its start.

    Args:
        part: the event.
        start: of the same kind as the start that it has.
        end: exclusive; None leaves its DURATION as it is.
    """
    [was] = part.node.originals("DTSTART")[:1]
    put(part.node, "DTSTART", _at(was, "DTSTART", start, part.event))
    if end is not None:
        put(part.node, "DURATION")
        put(part.node, "DTEND", _at(was, "DTEND", end, part.event))


def _at(like: str, name: str, value: date, event: Event) -> str:
    """Return a time as a line in the form of another: the same zone, written in the same way."""
    head, _, old = like.rpartition(":")
    head = name + head.strip()[len("DTSTART") :]
    if not isinstance(value, datetime):
        return f"{head}:{value:%Y%m%d}"
    wall = on_wall(value, event.when("DTSTART"))
    return f"{head}:{wall:%Y%m%dT%H%M%S}{'Z' if old.strip().endswith('Z') else ''}"


def add_instance(book: Book, original: date, start: date, end: date) -> tuple[Book, Part]:
    """Add one occurrence of a series as an event of its own, which is as the series says; returns file and event.

    Args:
        book: the file.
        original: when the series has it.
        start: when it starts, of the same kind.
        end: when it ends.
    """
    node = copy.deepcopy(book.master.node)
    node.lines[:] = [line for line in node.lines if name_of(line) not in _OF_A_SERIES]
    [was] = book.master.node.originals("DTSTART")[:1]
    node.lines.append(_at(was, "RECURRENCE-ID", original, book.master.event))
    put_times(Part(node, book.master.event), start, end)
    part = Part(node, parse_event(node, zones_of(book.calendar)))
    book.calendar.children.append(node)
    return Book(book.calendar, (*book.parts, part)), part


def answer(node: Node, addresses: frozenset[str], status: str) -> list[tuple[str, str]]:
    """Set the answer of those attendees that are one of some addresses; returns each with what it answered before.

    The other parameters of the attendee stay; RSVP goes, for it asks for an answer.
    """
    answered = []
    for at, line in enumerate(node.lines):
        head = _HEAD.match(line)
        if head is None or name_of(line) != "ATTENDEE":
            continue
        address = address_of(line[head.end() :])
        if address not in addresses:
            continue
        given = {match[1].upper(): match[2] for match in _PARAMETER.finditer(head[1])}
        answered.append((address, given.get("PARTSTAT", "").strip(' "').upper() or "NEEDS-ACTION"))
        rest = _PARAMETER.sub(lambda match: "" if match[1].upper() in ("PARTSTAT", "RSVP") else match[0], head[1])
        node.lines[at] = f"{rest};PARTSTAT={status}:{line[head.end() :]}"
    return answered
