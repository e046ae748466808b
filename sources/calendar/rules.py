"""Recurrence rules with bounds: none may cost more than a second, however dense, sparse or long it is.

A dense rule is ended early. One that looks for a day that is rare or never comes is refused: the library that expands
rules would step through every second until the year 9999 for ``FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sources.calendar.times import instant, plain

MAX_OCCURRENCES = 20_000
"""How many candidates of one rule are looked at from the start of the window on."""
MAX_STEPS = 200_000
"""How many candidates of one rule are looked at in all, from its start on."""
MAX_GAP = 700_000
"""How many candidates may fail between two that match; a week of seconds is less."""

_SECONDS = {"SECONDLY": 1, "MINUTELY": 60, "HOURLY": 3600, "DAILY": 86_400, "WEEKLY": 604_800}
_MONTH = 2_600_000
_TIMES = ("BYSECOND", "BYMINUTE", "BYHOUR")
_FINER = {"SECONDLY": 0, "MINUTELY": 1, "HOURLY": 2}
_DAYS = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY")


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when recurrences are expanded, UTC."""

    start: datetime
    end: datetime


def bound(component: Any, window: Window) -> bool:
    """End the rules of a component soon after the window, or earlier where they are too dense; True when earlier.

    Raises:
        ValueError: a rule is too sparse to be expanded, or never matches.
    """
    rules = component.pop("RRULE", None)
    start = component["DTSTART"].dt
    cut = False
    for rule in rules if isinstance(rules, list) else [rules] if rules is not None else []:
        until = _limit(rule, start, window)
        declared = rule.get("UNTIL", [None])[0]
        if declared is not None and instant(declared) <= until:
            until = instant(declared)
        else:
            cut = cut or (until < window.end and rule.get("COUNT", [math.inf])[0] > MAX_OCCURRENCES)
        _refuse_sparse(rule, start, until)
        bounded = rule.copy()
        bounded["UNTIL"] = [_like(until, start)]
        component.add("RRULE", bounded)
    return cut


def _limit(rule: Any, start: date, window: Window) -> datetime:
    """Return until when a rule is expanded at most; a year after the window, for instances that were moved into it."""
    step = _step(rule)
    dense = max(instant(start), window.start) + timedelta(seconds=step * MAX_OCCURRENCES)
    long = instant(start) + timedelta(seconds=min(step * MAX_STEPS, 1e10))
    return min(dense, long, window.end + timedelta(days=366))


def _like(until: datetime, start: date) -> date:
    """Return the end of a rule in the kind that its start has (RFC 5545, 3.3.10)."""
    if not isinstance(start, datetime):
        return until.date()
    return until.replace(tzinfo=None) if start.tzinfo is None else until


def _frequency(rule: Any) -> str:
    return str(rule.get("FREQ", ["YEARLY"])[0]).upper()


def _interval(rule: Any) -> float:
    return _SECONDS.get(_frequency(rule), _MONTH) * max(1, int(rule.get("INTERVAL", [1])[0]))


def _step(rule: Any) -> float:
    """Return the seconds from one candidate of a rule to the next, on average."""
    return min(_interval(rule), 1e9) / _times_a_day(rule)


def _times_a_day(rule: Any) -> int:
    finer = _TIMES[: _FINER.get(_frequency(rule), len(_TIMES))]
    return math.prod(max(1, len(rule.get(name, [None]))) for name in finer)


def _refuse_sparse(rule: Any, start: date, until: datetime) -> None:
    """Refuse a rule for which the library would look too long for the next match."""
    frequency = _frequency(rule)
    if frequency not in _SECONDS:
        return
    of_a_set = _times_a_day(rule) * (7 if frequency == "WEEKLY" else 1)
    if any(abs(int(position)) > of_a_set for position in rule.get("BYSETPOS", [])):
        msg = f"BYSETPOS of its rule never matches with FREQ={frequency}"
        raise ValueError(msg)
    days = [f"{name}={_values(rule, name)}" for name in _DAYS if name in rule]
    if not days or frequency == "WEEKLY":
        return
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

    last = plain(start).replace(tzinfo=None)
    for day in rrulestr(";".join(("FREQ=YEARLY", *days)), dtstart=last):
        if (day - last).total_seconds() / _SECONDS[frequency] > MAX_GAP:
            break
        if day.replace(tzinfo=UTC) > until + timedelta(days=1):
            return
        last = day
    msg = f"its rule steps by FREQ={frequency} and matches too rarely, or never"
    raise ValueError(msg)


def _values(rule: Any, name: str) -> str:
    values = ",".join(str(value) for value in rule[name])
    return re.sub(r"[+-]?\d+", "", values) if name == "BYDAY" else values
