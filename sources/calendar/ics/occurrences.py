"""When a series really happens: its recurrence set in the event's own zone (RFC 5545, 3.8.5), over a window.

::

    DTSTART, RRULE, RDATE ── less EXDATE and EXRULE ── changed instances in their places ── THISANDFUTURE moves the rest
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from leat.limits import ICS_FILE_WORK, ICS_WORK
from leat.limits import ICS_OCCURRENCES as MAX_OCCURRENCES
from leat.sources.calendar.ics.ical import Event
from leat.sources.calendar.ics.rules import Rule, Window
from leat.sources.calendar.ics.spans import Span, end_of, length_of, span_of
from leat.sources.calendar.ics.stepping import Work, WorkExceeded, times_of
from leat.sources.calendar.ics.times import identity, instant, moved, off_wall, on_wall, plain


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: its identity, the event it takes its fields from, start and end."""

    id: str
    event: Event
    start: date
    end: date


_AN_OCCURRENCE = 100
"""What an occurrence counts as of the work for a file."""


def recurs(event: Event) -> bool:
    """Return whether an event has a rule or additional dates."""
    return bool(event.rules or event.dates)


def expand(events: Sequence[Event], window: Window, of_file: Work | None = None) -> tuple[list[Occurrence], bool]:
    """Return the occurrences of one series, given as its VEVENTs of one UID, and whether a bound cut them short.

    A series without a rule and additional dates is there whatever the window is.

    Args:
        events: the series.
        window: what is wanted.
        of_file: what is left of the work for all series of a file; it becomes less.
    """
    if not any(recurs(event) for event in events):
        return [_alone(event) for event in events], False
    master = next((event for event in events if event.when("RECURRENCE-ID") is None), None)
    changed = [event for event in events if event is not master]
    of_file = Work(ICS_FILE_WORK) if of_file is None else of_file
    work = Work(max(0, min(ICS_WORK, of_file.left)))
    of_file.left -= work.left
    series = None if master is None else _Series(master, changed, window, work)
    placed = {} if series is None else series.occurrences()
    for event in changed:
        for occurrence in _changed(event, series, window):
            placed[occurrence.id] = occurrence
    of_file.left += max(0, work.left) - _AN_OCCURRENCE * len(placed)
    occurrences = sorted(placed.values(), key=lambda occurrence: instant(occurrence.start))
    return occurrences[:MAX_OCCURRENCES], len(occurrences) > MAX_OCCURRENCES or (series is not None and series.cut)


def _alone(event: Event) -> Occurrence:
    original = event.when("RECURRENCE-ID")
    span = span_of(event)
    return Occurrence("" if original is None else identity(original), event, span.start, span.end)


def _changed(event: Event, series: _Series | None, window: Window) -> Iterator[Occurrence]:
    """Yield the occurrence of a changed instance, if the window has it and no EXDATE takes it out."""
    span, original = span_of(event), event.when("RECURRENCE-ID")
    if not _touches(span.start, span.end, window):
        return
    if series is not None:
        original = series.place_of(original)
        if series.is_excluded(original) or series.has_outdated(event, original):
            return
    yield Occurrence(identity(original), event, span.start, span.end)


def _touches(start: date, end: date, window: Window) -> bool:
    begin, finish = instant(start), instant(end)
    return begin < window.end and (finish > window.start or begin == finish == window.start)


@dataclass(slots=True)
class _Series:
    """The recurrence set of a series.

    Attributes:
        master: the event that the rules are in.
        changed: its changed instances.
        window: what is wanted.
        work: how much its rules may look at.
        cut: whether a bound has cut it short.
    """

    master: Event
    changed: Sequence[Event]
    window: Window
    work: Work
    cut: bool = False
    _number: int = 0
    _start: date = field(init=False)
    _starts: dict[str, date] = field(init=False)
    _days: dict[date, date] = field(init=False, default_factory=dict)
    _ends: dict[str, date] = field(init=False, default_factory=dict)
    _without: set[str] = field(init=False, default_factory=set)
    _without_days: set[date] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._start = self.master.when("DTSTART")
        for value in self.master.exceptions:
            if isinstance(value, datetime) and isinstance(self._start, datetime):
                self._without.add(identity(self._like_start(value)))
            else:
                self._without_days.add(plain(value).date())
        self._starts = {}
        for start in self._candidates():
            self._starts.setdefault(identity(start), start)
            self._days.setdefault(plain(start).date(), start)

    def occurrences(self) -> dict[str, Occurrence]:
        """Return, by identity, what the master gives, and what THISANDFUTURE makes of it."""
        gone = {identity(self.place_of(event.when("RECURRENCE-ID"))) for event in self.changed}
        later = sorted(self._later(), key=lambda change: change[0])
        begins = [begin for begin, _, _ in later]
        spans = {id(event): span_of(event) for event in (self.master, *self.changed)}
        result: dict[str, Occurrence] = {}
        for key, original in self._starts.items():
            if key in gone or self.is_excluded(original):
                continue
            event, start = self.master, original
            place = bisect_left(begins, instant(original))
            if place:
                _, by, event = later[place - 1]
                start = off_wall(moved(on_wall(original, original), by), original)
            span = spans[id(event)]
            end = self._ends.get(key) or (span.end if start == span.start else end_of(span, start))
            if end is not None and _touches(start, end, self.window):
                result[key] = Occurrence(key, event, start, end)
        return result

    def is_excluded(self, start: date) -> bool:
        """Return whether an EXDATE takes an occurrence out."""
        return identity(start) in self._without or plain(start).date() in self._without_days

    def has_outdated(self, event: Event, original: date) -> bool:
        """Return whether an instance is left from an older form of the series: it has rules, and isn't in the set."""
        return recurs(event) and event.sequence < self.master.sequence and identity(original) not in self._starts

    def place_of(self, original: date) -> date:
        """Return the occurrence that a RECURRENCE-ID means: the same moment, or the one on that day for a date."""
        if isinstance(original, datetime) and isinstance(self._start, datetime):
            return self._like_start(original)
        day = plain(original).date()
        if not isinstance(self._start, datetime):
            return day
        same = self._days.get(day)
        return off_wall(datetime.combine(day, plain(self._start).time()), self._start) if same is None else same

    def _like_start(self, value: date) -> date:
        return off_wall(on_wall(value, self._start), self._start)

    def _later(self) -> Iterator[tuple[datetime, timedelta, Event]]:
        """Yield the changes that hold for all later instances: from when on, and by how much they move."""
        for event in self.changed:
            if event.later:
                original = self.place_of(event.when("RECURRENCE-ID"))
                by = on_wall(event.when("DTSTART"), original) - on_wall(original, original)
                yield instant(original), by, event

    def _candidates(self) -> Iterator[date]:
        """Yield the starts that the window may need, DTSTART among them."""
        start = on_wall(self._start, self._start)
        rules = [rule for rule in self.master.rules if _is_ahead(rule, self._start)]
        if rules or self.master.dates or not self.master.rules:
            yield self._start
        yield from self._dates()
        begin, end = self._reach()
        for rule in self.master.exclusions:
            self._without.update(identity(off_wall(at, self._start)) for at in self._times(rule, start, begin, end))
        self._number = 0
        for rule in rules:
            yield from (off_wall(at, self._start) for at in self._times(rule, start, begin, end))

    def _times(self, rule: Rule, start: datetime, begin: datetime, end: datetime) -> Iterator[datetime]:
        last = rule.last(self._start)
        if self._number > MAX_OCCURRENCES:
            return
        try:
            for moment in times_of(rule, start, begin, end if last is None else min(last, end), self.work):
                self._number += 1
                if self._number > MAX_OCCURRENCES:
                    self.cut = True
                    return
                yield moment
        except WorkExceeded:
            self.cut = True

    def _dates(self) -> Iterator[date]:
        """Yield the additional dates; notes the ends of those that are periods."""
        for value in self.master.dates:
            first = value[0] if isinstance(value, tuple) else value
            if isinstance(first, datetime) and isinstance(self._start, datetime):
                start = self._like_start(first)
            else:
                start = off_wall(datetime.combine(plain(first).date(), plain(self._start).time()), self._start)
            if isinstance(value, tuple) and isinstance(start, datetime):
                end = value[1]
                if isinstance(end, timedelta):
                    end = Span(start, start, end).moved_to(start)
                self._ends[identity(start)] = self._like_start(end)
            yield start

    def _reach(self) -> tuple[datetime, datetime]:
        """Return from when until when the rules are expanded: as far as length and moves can lead into the window."""
        by = [change[1] for change in self._later()] if self.changed else []
        longest = max(length_of(event) for event in (self.master, *self.changed))
        day = timedelta(days=2)  # more than any zone is away from UTC
        begin = moved(self.window.start, -(longest + max([timedelta(), *by]) + day))
        end = moved(self.window.end, day - min([timedelta(), *by]))
        return begin.replace(tzinfo=None), end.replace(tzinfo=None)


def _is_ahead(rule: Rule, start: date) -> bool:
    """Return whether a rule ends at its start or later: one that ended before it was called off."""
    last = rule.last(start)
    return last is None or last >= on_wall(start, start)
