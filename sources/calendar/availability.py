"""When people are free: busy periods and working hours of several people in several zones, to slots for a meeting.

::

    working hours of each person, in their zone ── less what is busy ── what all of them have ── cut into slots

A working day is a wall-clock day of the person's zone, so that it is an hour earlier or later in UTC after the clock
changes. Holidays are dates that the caller gives for each person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Period = tuple[datetime, datetime]
"""Start and end, exclusive, as instants."""


@dataclass(frozen=True, slots=True)
class Availability:
    """One person.

    Attributes:
        zone: IANA name of their time zone.
        busy: when they are busy, in any order; periods may overlap.
        opens: when their working day starts, by their clock.
        closes: when it ends, by their clock; a time before ``opens`` is on the next day.
        weekdays: on which days they work; 0 is Monday.
        holidays: dates on which they don't.
    """

    zone: str
    busy: Sequence[Period] = ()
    opens: time = time(9)
    closes: time = time(17)
    weekdays: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = field(default_factory=frozenset)


def find_slots(
    people: Sequence[Availability],
    start: datetime,
    end: datetime,
    length: timedelta,
    *,
    step: timedelta = timedelta(minutes=15),
    limit: int = 20,
) -> list[Period]:
    """Return when all of some people are free at work, the earliest first, in UTC.

    Args:
        people: who has to be free; at least one.
        start: from when on, with a zone.
        end: until when, with a zone.
        length: how long the meeting is.
        step: slots begin at multiples of it, counted from midnight UTC.
        limit: how many slots are returned at most.

    Raises:
        ValueError: nobody is given, a time has no zone, or a length isn't positive.
    """
    if not people or start.tzinfo is None or end.tzinfo is None or min(length, step) <= timedelta():
        msg = "give people, a start and an end with a zone, and a length and a step above zero"
        raise ValueError(msg)
    free = [(start.astimezone(UTC), end.astimezone(UTC))]
    for person in people:
        free = intersect(free, subtract(working(person, start, end), merge(person.busy)))
    slots: list[Period] = []
    for period in free:
        for slot in _cut(period, length, step):
            if len(slots) == limit:
                return slots
            slots.append(slot)
    return slots


def working(person: Availability, start: datetime, end: datetime) -> list[Period]:
    """Return the working hours of a person that touch a period, merged, in UTC."""
    zone = ZoneInfo(person.zone)
    day, last = start.astimezone(zone).date() - timedelta(days=1), end.astimezone(zone).date()
    periods = []
    while day <= last:
        if day.weekday() in person.weekdays and day not in person.holidays:
            closes_on = day if person.closes > person.opens else day + timedelta(days=1)
            opens = datetime.combine(day, person.opens, zone).astimezone(UTC)
            periods.append((opens, datetime.combine(closes_on, person.closes, zone).astimezone(UTC)))
        day += timedelta(days=1)
    return merge(periods)


def merge(periods: Iterable[Period]) -> list[Period]:
    """Return periods in order, those that overlap or touch as one; empty ones go."""
    merged: list[Period] = []
    for start, end in sorted((s.astimezone(UTC), e.astimezone(UTC)) for s, e in periods):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def intersect(some: Sequence[Period], others: Sequence[Period]) -> list[Period]:
    """Return what is in both; each is merged and in order."""
    result, at, of = [], 0, 0
    while at < len(some) and of < len(others):
        start, end = max(some[at][0], others[of][0]), min(some[at][1], others[of][1])
        if start < end:
            result.append((start, end))
        if some[at][1] < others[of][1]:
            at += 1
        else:
            of += 1
    return result


def subtract(some: Sequence[Period], others: Sequence[Period]) -> list[Period]:
    """Return what is in the first and not in the second; each is merged and in order."""
    result, of = [], 0
    for start, end in some:
        while of < len(others) and others[of][1] <= start:
            of += 1
        at, here = start, of
        while here < len(others) and others[here][0] < end:
            if at < others[here][0]:
                result.append((at, others[here][0]))
            at = max(at, others[here][1])
            here += 1
        if at < end:
            result.append((at, end))
    return result


def _cut(period: Period, length: timedelta, step: timedelta) -> Iterator[Period]:
    start, end = period
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight + -((midnight - start) // step) * step
    while begin + length <= end:
        yield begin, begin + length
        begin += step
