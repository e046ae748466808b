"""Times in headers (RFC 5322, sections 3.3 and 4.3) to instants; what can't be read for certain is None.

A wrong instant is worse than none: a zone whose meaning isn't certain, such as IST or a single letter, gives none. No
zone, and ``-0000``, are UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from leat.sources.email.mime.zones import offset_of

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_GAP = r"[\s,./-]*+"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_TIME = (
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{1,2})(?:[.,]\d+)?)?(?!\d)"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\b\.?)?"
)
_WEEKDAY = r"(?:[^\W\d_]{2,12}(?![^\W\d_])\.?[\s,]*+)?"
_DAY_FIRST = rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_GAP}{_MONTH}{_GAP}(?P<year>\d{{2,5}})(?!\d)"
_MONTH_DAY = rf"{_WEEKDAY}{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
_YEAR = r"[\s,]+(?P<year>\d{2,5})(?!\d)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_DAY_FIRST}[\s,T]+(?:at\s+)?{_TIME}(?P<zone>.*)",
        rf"{_MONTH_DAY}{_YEAR}[\s,]+(?:at\s+)?{_TIME}(?P<zone>.*)",
        rf"{_MONTH_DAY}\s+{_TIME}(?P<zone>\s+[A-Za-z+-][\w:+-]*)??{_YEAR}(?P<more>.*)",
        rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T\s]+{_TIME}(?P<zone>.*)",
    )
)
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ((?:19|20)\d{2}) "
    r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d) (([+-])([01]\d|2[0-3])([0-5]\d))(?: \([A-Z]{2,5}\))?"
)
_SHORT = {name[:3].title(): number for number, name in enumerate(_MONTHS, 1)}
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")
_OPEN_COMMENT = re.compile(r"\(.*", re.DOTALL)
_LONGEST, _LONGEST_ZONE = 200, 40


def instant(value: str | None) -> tuple[datetime | None, str | None]:
    """Return the instant, and the zone as written; each is None when it can't be read."""
    if value and (usual := _USUAL.fullmatch(value)):
        return _read_usual(usual)
    text = _without_comments((value or "")[:_LONGEST]).strip().strip('"').strip()
    for form in _FORMS:
        if match := form.fullmatch(text):
            parts = match.groupdict()
            written = f"{parts['zone'] or ''} {parts.get('more') or ''}".strip(" ,;.")
            offset, zone = offset_of(written)
            moment = _local(parts)
            zone = zone and zone[:_LONGEST_ZONE]
            return (None if offset is None or moment is None else _at(moment, offset)), zone
    return None, None


def _read_usual(match: re.Match[str]) -> tuple[datetime | None, str]:
    """Return what nearly all programs write, and at once."""
    day, month, year, hour, minute, second, zone, sign, hours, minutes = match.groups()
    try:
        moment = datetime(int(year), _SHORT[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None, zone
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return (moment + offset if sign == "-" else moment - offset), zone


def _without_comments(text: str) -> str:
    while "(" in text and (shorter := _COMMENT.sub(" ", text)) != text:
        text = shorter
    return " ".join(_OPEN_COMMENT.sub(" ", text).split())


def _local(parts: dict[str, str | None]) -> datetime | None:
    """Return the time on the author's clock; a leap second is the second after it, 24:00 the next day's beginning."""
    day, hour, minute, second = (int(parts[name] or 0) for name in ("day", "hour", "minute", "second"))
    month, year = _month(str(parts["month"])), _year(str(parts["year"]))
    if parts["half"]:
        afternoon = parts["half"] in "pP"
        if hour > (23 if afternoon else 12):
            return None
        hour = hour if hour > 12 else hour % 12 + (12 if afternoon else 0)
    later = timedelta()
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, timedelta(days=1)
    elif second == 60:
        second, later = 59, timedelta(seconds=1)
    try:
        return datetime(year or 0, month or 0, day, hour, minute, second, tzinfo=UTC) + later
    except (ValueError, OverflowError):
        return None


def _month(written: str) -> int | None:
    if written.isdigit():
        return int(written)
    months = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(written.lower())]
    return months[0] if months else 9 if written.lower() == "sept" else None


def _year(written: str) -> int | None:
    """Return the year; with two digits 1950 to 2049, with three counted from 1900 (RFC 5322, section 4.3)."""
    year = int(written)
    if len(written) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(written) == 3 else year if 1900 <= year <= 9999 else None


def _at(moment: datetime, offset: timedelta) -> datetime | None:
    try:
        return moment - offset
    except OverflowError:
        return None
