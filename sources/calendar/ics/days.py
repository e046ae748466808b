"""Which days a recurrence rule leaves: BYMONTH, BYMONTHDAY, BYYEARDAY, BYWEEKNO and BYDAY (RFC 5545, 3.3.10)."""

from __future__ import annotations

import calendar
from datetime import date, datetime

from leat.sources.calendar.ics.rules import Rule

_FILTERS = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")


class Days:
    """The days of a rule.

    Args:
        rule: the rule.
        start: DTSTART on its wall clock, which says what the rule leaves open.
    """

    def __init__(self, rule: Rule, start: datetime) -> None:
        by = {name: frozenset(values) for name, values in rule.by.items()}
        days = rule.days
        if not days and not any(name in by for name in _FILTERS):
            if rule.frequency == "YEARLY":
                by.setdefault("BYMONTH", frozenset({start.month}))
            if rule.frequency in ("YEARLY", "MONTHLY"):
                by["BYMONTHDAY"] = frozenset({start.day})
            if rule.frequency == "WEEKLY":
                days = ((0, start.weekday()),)
        self._by, self._week_start = by, rule.week_start
        placed = rule.frequency in ("YEARLY", "MONTHLY")  # elsewhere a place says nothing
        self._weekdays = frozenset(day for place, day in days if not (place and placed))
        self._placed = frozenset((place, day) for place, day in days if place and placed)
        self._of_month = rule.frequency == "MONTHLY" or "BYMONTH" in by

    def wants(self, day: date) -> bool:
        """Return whether the parts BY… of the rule leave a day."""
        by = self._by
        if "BYMONTH" in by and day.month not in by["BYMONTH"]:
            return False
        if "BYMONTHDAY" in by:
            length = calendar.monthrange(day.year, day.month)[1]
            if day.day not in by["BYMONTHDAY"] and day.day - length - 1 not in by["BYMONTHDAY"]:
                return False
        if "BYYEARDAY" in by:
            number = day.timetuple().tm_yday
            if number not in by["BYYEARDAY"] and number - days_of_year(day.year) - 1 not in by["BYYEARDAY"]:
                return False
        if (self._weekdays or self._placed) and day.weekday() not in self._weekdays and not self._is_placed(day):
            return False
        return "BYWEEKNO" not in by or not by["BYWEEKNO"].isdisjoint(_week_numbers(day, self._week_start))

    def _is_placed(self, day: date) -> bool:
        """Return whether a day is, for example, the last Sunday of its month or year."""
        if self._of_month:
            number, length = day.day, calendar.monthrange(day.year, day.month)[1]
        else:
            number, length = day.timetuple().tm_yday, days_of_year(day.year)
        places = ((number - 1) // 7 + 1, -((length - number) // 7 + 1))
        return any((place, day.weekday()) in self._placed for place in places)


def days_of_year(year: int) -> int:
    """Return how many days a year has."""
    return 366 if calendar.isleap(year) else 365


def _week_numbers(day: date, week_start: int) -> tuple[int, int]:
    """Return the number of a day's week, counted from the first and from the last of its week's year.

    The first week of a year is the one with at least four days in it (RFC 5545, 3.3.10).
    """
    fourth = day.toordinal() - (day.weekday() - week_start) % 7 + 3  # the day that says which year the week belongs to
    if not 1 <= fourth <= date.max.toordinal():
        return 1, -1
    middle = date.fromordinal(fourth)
    number = (middle.timetuple().tm_yday - 1) // 7 + 1
    weeks = (days_of_year(middle.year) - middle.timetuple().tm_yday) // 7 + number
    return number, number - weeks - 1
