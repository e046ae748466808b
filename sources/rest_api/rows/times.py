"""Times as APIs write them: ISO 8601, seconds or milliseconds since 1970, a format of their own, without a zone."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from leat.sources.rest_api.declaration.column import ColumnOptions

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
        return _typed(_read(text, options), options)
    except OverflowError:
        msg = "lies outside of the years 1 to 9999, UTC"
        raise ValueError(msg) from None


def _read(text: str, options: ColumnOptions) -> datetime:
    try:
        if options.unix is not None:
            return _since_1970(text, options.unix)
        if options.format is not None:
            return datetime.strptime(text, options.format)  # noqa: DTZ007 - its zone is declared
        if options.type == "date":
            return datetime.combine(date.fromisoformat(text), time.min)
        return datetime.fromisoformat(text.upper())  # RFC 3339 also allows t and z
    except (ValueError, InvalidOperation):
        raise ValueError(_expected(options)) from None


def _typed(moment: datetime, options: ColumnOptions) -> datetime | date:
    if options.type == "date":
        return moment.date()
    if options.type == "datetime":
        if moment.tzinfo is not None:
            msg = "takes datetime, which has no zone; declare it as timestamp"
            raise ValueError(msg)
        return moment
    if moment.tzinfo is None:
        if options.zone is None:
            msg = "takes timestamp, and has no zone; declare the API's, as zone: Europe/Paris"
            raise ValueError(msg)
        moment = moment.replace(tzinfo=_zone(options.zone))
    return moment.astimezone(UTC)


@functools.cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _since_1970(text: str, unit: str) -> datetime:
    within = _WITHIN.fullmatch(text)
    number = Decimal(within[1] if within else text.strip())
    if number.is_finite() and number.adjusted() > _LARGEST + 3:
        raise OverflowError
    return _EPOCH + timedelta(microseconds=int(number * _MICROSECONDS[unit]))


def _expected(options: ColumnOptions) -> str:
    if options.unix is not None:
        return f"takes {'seconds' if options.unix == 's' else 'milliseconds'} since 1970"
    if options.format is not None:
        return f"takes {options.type} in the format {options.format}"
    declare = "format, or unix" if options.type == "timestamp" else "format"
    return f"takes {options.type} as ISO 8601; where the API writes it otherwise, declare {declare}"
