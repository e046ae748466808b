"""Recurrence rules as the text of an event gives them (RFC 5545, 3.3.10), checked part by part.

Read as calendar programs read them: an empty part says nothing, an INTERVAL below 1 is 1, a COUNT below 1 is no limit,
parts of other standards are skipped. Anything else that isn't what the RFC says is refused with the part's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo

from leat.sources.calendar.ics.reasons import Unreadable

FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_RANGES = {
    "BYSECOND": (0, 60),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYMONTH": (1, 12),
    "BYSETPOS": (-366, 366),
}
_SUPPORTED = frozenset({*_RANGES, "FREQ", "UNTIL", "COUNT", "INTERVAL", "BYDAY", "WKST", "RSCALE", "SKIP"})
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_NUMBER = re.compile(r"[+-]?\d{1,18}")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when recurrences are expanded, UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """One recurrence rule.

    Attributes:
        frequency: one of :data:`FREQUENCIES`.
        interval: how many periods lie from one to the next, from 1.
        count: how often it happens; None for no limit.
        until: the last moment as written: a date, a time with the zone UTC or without one; None for no end.
        by: values of the parts ``BY…``, sorted; those that are absent have none.
        days: of BYDAY, the place in the month or year (0 for each) and the weekday from 0 for Monday.
        week_start: weekday from 0 for Monday.
    """

    frequency: str
    interval: int = 1
    count: int | None = None
    until: date | None = None
    by: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    days: tuple[tuple[int, int], ...] = ()
    week_start: int = 0

    def last(self, start: date) -> datetime | None:
        """Return the last moment on the wall clock of a start; None for no end.

        What isn't written in UTC is in the zone of the start, as its author meant it, and a date is that whole day.
        """
        until = self.until
        if until is None:
            return None
        if not isinstance(until, datetime):
            return datetime.combine(until, time.max)
        zone = start.tzinfo if isinstance(start, datetime) else None
        if not isinstance(start, datetime):
            return datetime.combine(until.date(), time.max)
        return until.replace(tzinfo=None) if until.tzinfo is None or zone is None else _on_the_wall(until, zone)


def _on_the_wall(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:  # a few hours from the end of the calendar
        return moment.replace(tzinfo=None)


def parse_rule(text: str, name: str = "RRULE") -> Rule | None:
    """Return the rule that a property's value gives; None when it is empty.

    Args:
        text: for example ``FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10``.
        name: the property, for errors.

    Raises:
        Unreadable: a part isn't what RFC 5545 says; the text names it and doesn't hold its value.
    """
    parts = _parts(text, name)
    if not parts:
        return None
    frequency = parts.get("FREQ", "")
    if frequency not in FREQUENCIES:
        raise _wrong(name, f"FREQ is none of {', '.join(FREQUENCIES)}" if frequency else "it has no FREQ")
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN" or parts.get("SKIP", "OMIT") != "OMIT":
        raise _wrong(name, "RSCALE and SKIP are read as GREGORIAN and OMIT only")
    count = _number(parts, "COUNT", name, 0)
    by = {key: _numbers(parts[key], key, name) for key in _RANGES if key in parts}
    if "BYSECOND" in by:  # a leap second is the second before it (RFC 5545, 3.3.5)
        by["BYSECOND"] = tuple(sorted({min(second, 59) for second in by["BYSECOND"]}))
    week_start = parts.get("WKST", "MO")
    if week_start not in _DAYS:
        raise _wrong(name, "WKST is no weekday")
    return Rule(
        frequency,
        max(1, _number(parts, "INTERVAL", name, 1)),
        count if count > 0 else None,
        _until(parts["UNTIL"], name) if "UNTIL" in parts else None,
        by,
        _days(parts["BYDAY"], name) if "BYDAY" in parts else (),
        _DAYS.index(week_start),
    )


def _wrong(name: str, what: str) -> Unreadable:
    return Unreadable(f"{name} can't be read: {what}")


def _parts(text: str, name: str) -> dict[str, str]:
    """Return the parts that say something, upper case."""
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals and key:
            raise _wrong(name, "it isn't made of parts like FREQ=WEEKLY, separated by semicolons")
        if key in _SUPPORTED and value.strip(",") and parts.setdefault(key, value) != value:
            raise _wrong(name, f"it has two {key}")
    return parts


def _number(parts: Mapping[str, str], key: str, name: str, default: int) -> int:
    if key not in parts:
        return default
    if not _NUMBER.fullmatch(parts[key]):
        raise _wrong(name, f"{key} is no number")
    return int(parts[key])


def _numbers(text: str, key: str, name: str) -> tuple[int, ...]:
    low, high = _RANGES[key]
    result = set()
    for item in (piece.strip() for piece in text.split(",")):
        if not item:
            continue
        number = int(item) if _NUMBER.fullmatch(item) else None
        if number is None or not low <= number <= high or (low < 0 and number == 0):
            raise _wrong(name, f"{key} takes {low} to {high}{' without 0' if low < 0 else ''}")
        result.add(number)
    return tuple(sorted(result))


def _days(text: str, name: str) -> tuple[tuple[int, int], ...]:
    result = set()
    for item in (piece.strip() for piece in text.split(",")):
        match = _DAY.fullmatch(item)
        if item and not match:
            raise _wrong(name, "BYDAY takes weekdays like MO or -1SU")
        if match:
            result.add((int(match[1] or 0), _DAYS.index(match[2])))
    return tuple(sorted(result))


def _until(text: str, name: str) -> date:
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError  # noqa: TRY301 - one reason for all
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        if match[2] is None:
            return day
        hour, minute, second = (int(match[2][at : at + 2]) for at in (0, 2, 4))
        moment = time(hour, minute, min(second, 59), tzinfo=UTC if match[3] else None)
        return datetime.combine(day, moment)
    except ValueError:
        raise _wrong(name, "UNTIL is no date and no time like 20261015T080000Z") from None
