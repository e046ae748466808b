"""Zones of times in headers: offsets as programs write them, and the names that mean one offset only."""

from __future__ import annotations

import re
from datetime import timedelta

_UTC = ("UT", "UTC", "GMT", "Z")
_HOURS = {
    **dict.fromkeys((*_UTC, "WET"), 0),
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},  # RFC 5322, section 4.3
    **{"AKST": -9, "AKDT": -8, "HST": -10, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "MEZ": 1, "MESZ": 2},
    **{"EET": 2, "EEST": 3, "MSK": 3, "HKT": 8, "SGT": 8, "AWST": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11},
    **{"ACST": 9.5, "ACDT": 10.5, "NZST": 12, "NZDT": 13},
}
"""Hours from UTC of names that mean one offset; those of several, such as BST, IST or AST, are left out."""
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?(?!\d)")
_NUMBER = re.compile(r"(?<![\w:])(?:[A-Za-z]{1,5})?\s*([+-]\d[\d:]*)(?![\w:])")


def offset_of(written: str) -> tuple[timedelta | None, str | None]:
    """Return the offset that a zone means, None when that isn't certain, and the zone as written.

    Of an offset with a name (``GMT+0100``, ``+0100 CET``), the offset is the zone; a name that contradicts it makes it
    uncertain. No zone is UTC.
    """
    if not written:
        return timedelta(), None
    numbers = _NUMBER.findall(written)
    names = re.findall(r"[A-Za-z]+", written)
    of_names = {_HOURS.get(name.upper()) for name in names}
    if not numbers:
        hours = _HOURS.get(written.upper())
        return (None if hours is None else timedelta(hours=hours)), written
    offsets = {_numeric(number) for number in numbers}
    offset = offsets.pop() if len(offsets) == 1 else None
    is_utc = {name.upper() for name in names} <= set(_UTC)
    agrees = is_utc or offset is None or {timedelta(hours=hours) for hours in of_names if hours is not None} <= {offset}
    return (offset if agrees else None), numbers[0]


def _numeric(written: str) -> timedelta | None:
    """Return an offset as ``+0100``, ``+01:00``, ``+01``, ``+1`` or ``+100`` means it."""
    match = _OFFSET.fullmatch(written)
    if match is None:
        return None
    hours, minutes = int(match[2]), int(match[3] or 0)
    if hours > 23 or minutes > 59:
        return None
    size = timedelta(hours=hours, minutes=minutes)
    return -size if match[1] == "-" else size
