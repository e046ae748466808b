"""Values of iCalendar properties in plain types: times from their text, the others as ``icalendar`` parses them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import unquote

from leat.sources.calendar.ics.reasons import Unreadable
from leat.sources.calendar.ics.times import instant

_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?", re.ASCII)
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12})S)?)?", re.ASCII
)
_BRACKETED = re.compile(r"<([^<>]*)>")


def parse_time(text: str, zone: tzinfo | None) -> date:
    """Return a date or time in the form of RFC 5545 (3.3.4, 3.3.5); one without Z is in the zone.

    Raises:
        ValueError: it is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        msg = "no date and no time"
        raise ValueError(msg)
    day = date(int(match[1]), int(match[2]), int(match[3]))
    if match[4] is None:
        return day
    return datetime.combine(day, time(int(match[4]), int(match[5]), int(match[6]), tzinfo=UTC if match[7] else zone))


def parse_duration(text: str) -> timedelta:
    """Return a duration in the form of RFC 5545 (3.3.6).

    Raises:
        ValueError: it is none.
        OverflowError: it is longer than the calendar.
    """
    match = _DURATION.fullmatch(text.upper())
    if match is None or not any(match.groups()[1:]):
        msg = "no duration"
        raise ValueError(msg)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if match[1] == "-" else length


def parse_period(text: str, zone: tzinfo | None) -> tuple[date, date | timedelta]:
    """Return start, and end or length, of a period (RFC 5545, 3.3.9).

    Raises:
        ValueError: it is none.
    """
    start, _, end = text.partition("/")
    return parse_time(start, zone), parse_duration(end) if "P" in end.upper() else parse_time(end, zone)


def first(value: Any) -> Any:
    """Return the first of several values of a property, or the only one."""
    return value[0] if isinstance(value, list) else value


def instant_of(value: Any) -> datetime | None:
    """Return the instant of a property; None when it is absent or no time."""
    return instant(value.dt) if isinstance(getattr(value, "dt", None), date) else None


def email_of(value: Any) -> str | None:
    """Return the mail address of a calendar address, lower case; None when it is none.

    The parameter EMAIL says it where the address is another URI, or an empty ``mailto:`` (RFC 7986, 6.2).
    """
    if value is None:
        return None
    text = str(value).strip()
    own = address_of(text) if text[:7].lower() == "mailto:" or ":" not in text else ""
    said = address_of(parameter(value, "EMAIL") or "")
    return next((each for each in (own, said) if "@" in each), own) or None


def address_of(text: str) -> str:
    """Return a calendar address as people write it, lower case where it is a mail address; empty when there is none.

    A ``mailto:`` is decoded, and what follows a question mark or a comma is not the address (RFC 6068, 2).
    """
    text = text.strip()
    is_mail = text[:7].lower() == "mailto:"
    if is_mail:
        text = unquote(text[7:].partition("?")[0]).strip()
    bracketed = _BRACKETED.search(text)
    text = bracketed[1].strip() if bracketed else text
    if is_mail:
        text = text.partition(",")[0].strip()
    return text.lower() if is_mail or "@" in text else text


def parameter(value: Any, name: str) -> str | None:
    """Return a parameter of a property as text."""
    written = None if value is None else getattr(value, "params", {}).get(name)
    if isinstance(written, list | tuple):
        return ", ".join(str(item) for item in written)
    return None if written is None else str(written)


def addresses(value: Any, name: str) -> str | None:
    """Return the addresses in a parameter, such as DELEGATED-TO, separated by commas."""
    written = getattr(value, "params", {}).get(name)
    items = written if isinstance(written, list | tuple) else [] if written is None else [written]
    return ", ".join(filter(None, (address_of(str(item)) for item in items))) or None


def text_of(component: Any, name: str) -> str | None:
    """Return a property of a component as text."""
    value = first(component.get(name))
    return None if value is None else str(value)


def whole_number(value: Any) -> int:
    """Return a number of a property.

    Raises:
        Unreadable: it is none, or has more than 64 bits.
    """
    number = int(value)
    if not -(2**63) <= number < 2**63:
        msg = "a number is too large"
        raise Unreadable(msg)
    return number
