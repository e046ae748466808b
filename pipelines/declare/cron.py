"""Cron expressions: whether a text is one, and when it was last due. Five fields, names of days and months allowed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ("", *_MONTHS)),
    (0, 7, _DAYS),
)
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([0-9]{1,4}))?", re.ASCII)


def is_cron(text: str) -> bool:
    """Return whether a text is minute, hour, day, month and weekday as cron takes them; weekday 7 is Sunday too."""
    fields = text.lower().split()
    return len(fields) == len(_FIELDS) and all(map(_is_field, fields, _FIELDS))


def last_due(text: str, zone: str, now: datetime) -> datetime | None:
    """Return the last moment up to now at which an expression was due, in UTC's clock of ``now``; None if never.

    Where both days are restricted, either is enough, as cron has it. A time that the clock skips in spring counts an
    hour later. Looks back nine years, for there is no shorter time in which each 29 February comes.
    """
    minutes, hours, days, months, weekdays = (
        _values(part, bounds) for part, bounds in zip(text.lower().split(), _FIELDS, strict=True)
    )
    either = not text.split()[2].startswith("*") and not text.split()[4].startswith("*")
    today = now.astimezone(ZoneInfo(zone)).date()
    for back in range(9 * 366):
        day = today - timedelta(days=back)
        of_month, of_week = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month not in months or not ((of_month or of_week) if either else (of_month and of_week)):
            continue
        times = [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo)
            for hour in hours
            for minute in minutes
        ]
        due = [at for at in times if at <= now]
        if due:
            return max(due)
    return None


def _values(text: str, bounds: tuple[int, int, tuple[str, ...]]) -> set[int]:
    low, high, _ = bounds
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            continue
        step = int(match[4] or 1)
        first = low if match[1] == "*" or match[2] is None else _number(match[2], bounds) or 0
        last = (_number(match[3], bounds) or 0) if match[3] else high if match[2] is None or match[4] else first
        values.update(range(first, last + 1, step))
    return {value % 7 for value in values} if high == len(_DAYS) else values  # weekday 7 is Sunday


def _is_field(text: str, bounds: tuple[int, int, tuple[str, ...]]) -> bool:
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[4] is not None and int(match[4]) == 0):
            return False
        numbers = [_number(word, bounds) for word in (match[2], match[3]) if word is not None]
        if None in numbers or numbers != sorted(numbers, key=lambda number: number or 0):
            return False
    return True


def _number(word: str, bounds: tuple[int, int, tuple[str, ...]]) -> int | None:
    low, high, names = bounds
    if word in names:
        return names.index(word)
    number = int(word) if re.fullmatch("[0-9]{1,2}", word) else -1
    return number if low <= number <= high else None
