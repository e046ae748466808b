"""Times as APIs write them: ISO 8601, seconds or milliseconds since 1970, a format of their own, without a zone."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from sources.rest_api.column import ColumnOptions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 12
"""Digits of the seconds of the year 9999."""
_MICROSECONDS = {"s": 1_000_000, "ms": 1000}
_WITHIN = re.compile(r"/Date\((-?[0-9]+)(?:[+-][0-9]{4})?\)/")
"""A number of milliseconds as ASP.NET writes it."""


def time_of(text: str, options: ColumnOptions) -> datetime | date:
    """Return what a text says for a column of a type of time.

    Raises:
        ValueError: it says nothing of that type; the text follows the column's name.
    """
    try:
        if options.unix is not None:
            return _since_1970(text, options.unix)
        if options.format is not None:
            return _typed(datetime.strptime(text, options.format), options)  # noqa: DTZ007 - its zone is declared
        if options.type == "date":
            return date.fromisoformat(text)
        return _typed(datetime.fromisoformat(text), options)
    except (ValueError, ArithmeticError):
        raise ValueError(_expected(options)) from None


def _typed(moment: datetime, options: ColumnOptions) -> datetime | date:
    if options.type == "date":
        return moment.date()
    if options.type == "timestamp":
        if moment.tzinfo is None and options.zone is not None:
            moment = moment.replace(tzinfo=_zone(options.zone))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    elif moment.tzinfo is None:
        return moment
    raise ValueError


@functools.cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _since_1970(text: str, unit: str) -> datetime:
    within = _WITHIN.fullmatch(text)
    number = Decimal(within[1] if within else text.strip())
    if not number.is_finite() or number.adjusted() > _LARGEST + 3:
        raise InvalidOperation
    return _EPOCH + timedelta(microseconds=int(number * _MICROSECONDS[unit]))


def _expected(options: ColumnOptions) -> str:
    if options.unix is not None:
        return f"takes {'seconds' if options.unix == 's' else 'milliseconds'} since 1970, within the years 1 to 9999"
    if options.format is not None:
        return f"takes {options.type} in the format {options.format}"
    if options.type == "timestamp":
        needs = "" if options.zone else " and a zone; where the API writes none, declare it: zone: Europe/Paris"
        return f"takes timestamp: an ISO 8601 time within the years 1 to 9999, UTC{needs}"
    return f"takes {options.type}: an ISO 8601 {'date' if options.type == 'date' else 'time without a zone'}"
