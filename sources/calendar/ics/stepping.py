"""The times that a recurrence rule gives (RFC 5545, 3.3.10), with a bound on the work whatever the rule is.

Everything here is on the wall clock of the event: naive datetimes. A period (a year, month, week, day, hour, minute or
second, after FREQ) gives a set of candidates; periods are walked one interval at a time. What is before the span that
is asked for is skipped where nothing has to be counted, and a period finer than a day skips days that don't match.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import TypeVar

from leat.limits import ICS_WORK as MAX_WORK
from leat.sources.calendar.ics.days import Days, days_of_year
from leat.sources.calendar.ics.rules import Rule

_Item = TypeVar("_Item", datetime, timedelta)
_A_RULE = 1000
"""What a rule costs before it is looked at: a series may have thousands."""
_UNITS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}


class WorkExceeded(Exception):
    """A rule gives up: more was to be looked at than is allowed."""


@dataclass(slots=True)
class Work:
    """What is left of the work that the rules of a series, or all of a file, may take."""

    left: int = MAX_WORK

    def take(self, units: int) -> None:
        """Note that something was looked at.

        Raises:
            WorkExceeded: it was too much.
        """
        self.left -= units
        if self.left < 0:
            raise WorkExceeded


def times_of(rule: Rule, start: datetime, begin: datetime, end: datetime, work: Work) -> Iterator[datetime]:
    """Yield the times of a rule from ``begin`` until ``end``, in order.

    Args:
        rule: the rule; its UNTIL is not looked at, ``end`` is.
        start: DTSTART on its wall clock.
        begin: nothing before is wanted.
        end: nothing after is wanted.
        work: how much may be looked at.

    Raises:
        WorkExceeded: there may be more; nothing before the last time is missing.
    """
    left = rule.count
    first = 0
    if begin > start and (left is None or _one_a_period(rule)):
        first = max(0, _periods_until(rule, start, begin) - 1)
        left = None if left is None else left - first
    if left is not None and left <= 0:
        return
    for moment in _Steps(rule, start, work).from_period(first, end):
        if moment > end:
            return
        if moment < start:
            continue
        if moment >= begin:
            yield moment
        left = None if left is None else left - 1
        if left == 0:
            return


def _one_a_period(rule: Rule) -> bool:
    """Return whether each period has exactly one time, so that times are counted by counting periods."""
    return rule.frequency in ("WEEKLY", "DAILY", *_UNITS) and not rule.by and not rule.days


def _periods_until(rule: Rule, start: datetime, begin: datetime) -> int:
    """Return how many whole intervals lie between the period of the start and that of another moment."""
    if rule.frequency == "YEARLY":
        passed = begin.year - start.year
    elif rule.frequency == "MONTHLY":
        passed = (begin.year - start.year) * 12 + begin.month - start.month
    elif rule.frequency in _UNITS:
        passed = int((begin - start).total_seconds()) // _UNITS[rule.frequency]
    else:
        passed = (begin.date() - start.date()).days // (7 if rule.frequency == "WEEKLY" else 1)
    return passed // rule.interval


class _Steps:
    """A rule on its way from period to period."""

    def __init__(self, rule: Rule, start: datetime, work: Work) -> None:
        self._rule, self._start, self._work = rule, start, work
        self._by = by = {name: frozenset(values) for name, values in rule.by.items()}
        self._days = Days(rule, start)
        hours = sorted(by.get("BYHOUR", {start.hour}))
        minutes, seconds = sorted(by.get("BYMINUTE", {start.minute})), sorted(by.get("BYSECOND", {start.second}))
        work.take(_A_RULE + len(hours) * len(minutes) * len(seconds) // 4)
        self._times = [time(*parts) for parts in product(hours, minutes, seconds)]
        self._in_hour = [timedelta(minutes=m, seconds=s) for m, s in product(minutes, seconds)]
        self._wanted_day: date | None = None
        self._in_minute = [timedelta(seconds=s) for s in seconds]

    def from_period(self, first: int, end: datetime) -> Iterator[datetime]:
        """Yield the times of each period from one on, also those before the start."""
        if self._rule.frequency in _UNITS:
            yield from self._fine(first, end)
            return
        for begin, length in self._periods(first):
            if begin > end.date():
                return
            if "BYSETPOS" in self._rule.by:
                days = list(self._matching(begin, length))
                self._work.take(len(days) * len(self._times))
                yield from self._placed_in_set([datetime.combine(day, at) for day in days for at in self._times])
                continue
            for day in self._matching(begin, length):
                for at in self._times:
                    self._work.take(1)
                    yield datetime.combine(day, at)

    def _placed_in_set(self, candidates: Sequence[_Item]) -> Sequence[_Item]:
        """Return what BYSETPOS leaves of the candidates of a period."""
        places = self._rule.by.get("BYSETPOS")
        if not places:
            return candidates
        size = len(candidates)
        indices = {place - 1 if place > 0 else size + place for place in places}
        return [candidates[index] for index in sorted(indices) if 0 <= index < size]

    def _periods(self, number: int) -> Iterator[tuple[date, int]]:
        """Yield first day and length of each period, of a day or longer, until the calendar ends."""
        rule, start = self._rule, self._start
        if rule.frequency in ("YEARLY", "MONTHLY"):
            step = rule.interval * (12 if rule.frequency == "YEARLY" else 1)
            at = start.year * 12 + (start.month - 1 if rule.frequency == "MONTHLY" else 0) + number * step
            while at // 12 <= date.max.year:
                year, month = at // 12, at % 12 + 1
                yearly = rule.frequency == "YEARLY"
                yield date(year, month, 1), days_of_year(year) if yearly else calendar.monthrange(year, month)[1]
                at += step
            return
        step = rule.interval * (7 if rule.frequency == "WEEKLY" else 1)
        day = start.date().toordinal()
        if rule.frequency == "WEEKLY":
            day -= (start.weekday() - rule.week_start) % 7
        day += number * step
        while day <= date.max.toordinal():
            begin = max(day, 1)  # the week in which the calendar begins
            length = min(7, date.max.toordinal() - day + 1) - (begin - day) if rule.frequency == "WEEKLY" else 1
            yield date.fromordinal(begin), length
            day += step

    def _fine(self, number: int, end: datetime) -> Iterator[datetime]:
        """Yield the times of a rule that steps by hours, minutes or seconds; skips what can't match at once."""
        unit = _UNITS[self._rule.frequency]
        origin = self._start.replace(minute=0, second=0) if unit == 3600 else self._start
        origin = origin.replace(second=0) if unit == 60 else origin
        step = unit * self._rule.interval
        limit = int((end - origin).total_seconds())
        passed = number * step
        offsets = self._in_hour if unit == 3600 else self._in_minute if unit == 60 else [timedelta()]
        chosen = self._placed_in_set(offsets)  # every period has as many
        while passed <= limit and chosen:
            moment = origin + timedelta(seconds=passed)
            skip = self._seconds_to_skip(moment)
            if skip:
                self._work.take(1)
                passed += -(-skip // step) * step
                continue
            self._work.take(1 + len(chosen))
            for offset in chosen:
                yield moment + offset
            passed += step

    def _seconds_to_skip(self, moment: datetime) -> int:
        """Return how long nothing can match from a moment on; 0 when it may itself."""
        by, day = self._by, moment.date()
        second_of_day = moment.hour * 3600 + moment.minute * 60 + moment.second
        if day != self._wanted_day:
            if not self._days.wants(day):
                return 86_400 - second_of_day
            self._wanted_day = day
        if "BYHOUR" in by and moment.hour not in by["BYHOUR"]:
            return 3600 - second_of_day % 3600
        if self._rule.frequency == "HOURLY":
            return 0
        if "BYMINUTE" in by and moment.minute not in by["BYMINUTE"]:
            return 60 - second_of_day % 60
        return int(self._rule.frequency == "SECONDLY" and "BYSECOND" in by and moment.second not in by["BYSECOND"])

    def _matching(self, begin: date, length: int) -> Iterator[date]:
        """Yield the days of a period that the parts BY… leave."""
        ordinal = begin.toordinal()
        for number in range(length):
            self._work.take(1)
            day = date.fromordinal(ordinal + number)
            if self._days.wants(day):
                yield day
