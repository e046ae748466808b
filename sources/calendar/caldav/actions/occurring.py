"""Looks up one occurrence of a series, and makes it an event of its own in the file of the series (RECURRENCE-ID)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from leat.sources.actions import Refused
from leat.sources.calendar.ics.editing import Book, Part, add_instance
from leat.sources.calendar.ics.occurrences import expand, recurs
from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.rules import Window
from leat.sources.calendar.ics.spans import span_of
from leat.sources.calendar.ics.times import identity, instant, off_wall, on_wall
from leat.sources.calendar.ics.values import parse_time

_AROUND = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a file is to be changed.

    Attributes:
        book: the file.
        parts: the events to change; the first says how it is now.
        start: when it starts now.
        end: when it ends now.
        before: the file to show the change against: as it is, with the occurrence as an event of its own.
    """

    book: Book
    parts: tuple[Part, ...]
    start: date
    end: date
    before: str


def choose(book: Book, occurrence: str | None) -> Chosen:
    """Return the whole event or series, or one occurrence of it.

    Raises:
        Refused: the series has no such occurrence, or it can't be changed alone.
    """
    if occurrence is None:
        span = span_of(book.master.event)
        return Chosen(book, book.parts, span.start, span.end, book.text())
    if not any(recurs(event) for event in book.events):
        msg = "occurrence: the event doesn't recur, so leave occurrence out"
        raise Refused(msg)
    if any(event.later for event in book.events):
        msg = "occurrence: the series has a change for all later occurrences (THISANDFUTURE), so none can change alone"
        raise Refused(msg)
    original = _original(book, occurrence)
    for part in book.parts[1:]:
        if identity(part.event.when("RECURRENCE-ID")) == identity(original):
            span = span_of(part.event)
            return Chosen(book, (part,), span.start, span.end, book.text())
    around = Window(instant(original) - _AROUND, instant(original) + _AROUND)
    there = next((each for each in expand(book.events, around)[0] if each.id == identity(original)), None)
    if there is None:
        msg = f"occurrence: the series has none at {occurrence}; give the time at which the series has it"
        raise Refused(msg)
    new, part = add_instance(book, original, there.start, there.end)
    return Chosen(new, (part,), there.start, there.end, new.text())


def _original(book: Book, text: str) -> date:
    """Return when the series has an occurrence, as the same kind of time as its start."""
    like = book.master.event.when("DTSTART")
    value: date
    try:
        value = parse_time(text.strip().upper(), None)
    except ValueError:
        try:
            value = datetime.fromisoformat(text.strip()) if "T" in text or " " in text else date.fromisoformat(text)
        except ValueError:
            msg = "occurrence: write a time like 20261208T090000Z or 2026-12-08T10:00, or a date for whole days"
            raise Refused(msg) from None
    if isinstance(value, datetime) is not isinstance(like, datetime):
        kind = "a time" if isinstance(like, datetime) else "a date"
        msg = f"occurrence: the series has occurrences at {kind}; write {kind}"
        raise Refused(msg)
    return off_wall(on_wall(value, like), like)


def refuse_uneven_move(book: Book, moved: Book) -> None:
    """Make sure that moving the start of a series moves each occurrence by as much, by its own clock.

    A rule may name weekdays, days of the month or an end, which don't move with the start.

    Raises:
        Refused: it doesn't, or the series has occurrences that are changed, added or left out.
    """
    event, after = book.master.event, moved.master.event
    if not recurs(event):
        return
    if len(book.parts) > 1 or event.dates or event.exceptions or event.exclusions:
        msg = "the series has occurrences that are changed, added or left out: move its occurrences one at a time"
        raise Refused(msg)
    start, new = (on_wall(each.when("DTSTART"), each.when("DTSTART")) for each in (event, after))
    untils = [instant(rule.until) for rule in event.rules if rule.until is not None]
    end = max([instant(event.when("DTSTART")) + timedelta(days=2200), *untils]) + 2 * _AROUND + abs(new - start)
    window = Window(datetime(1900, 1, 1, tzinfo=UTC), end)
    last = (end - _AROUND - abs(new - start)).replace(tzinfo=None)
    try:
        walls = [[on_wall(each.start, each.start) for each in expand([e], window)[0]] for e in (event, after)]
    except Unreadable as error:
        raise Refused(str(error)) from None
    expected = [each + (new - start) for each in walls[0] if each < last]
    if expected != [each for each in walls[1] if each < last + (new - start)]:
        msg = (
            "starts: the rule of the series names days or an end, which don't move with its start: "
            "move its occurrences one at a time, or change the rule in a calendar program"
        )
        raise Refused(msg)
