"""Zones of events: by a name that everybody knows, else as the file itself defines them (RFC 5545, 3.6.5).

A zone of a file is its own: Outlook gives different zones the same name in different files. Its clock changes are
computed once, by the rules of :mod:`leat.sources.calendar.ics.stepping`, so that no zone can take long.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from itertools import islice, pairwise

from leat.limits import ICS_FILE_WORK, ICS_ZONE_WORK, ICS_ZONES
from leat.limits import ICS_ZONE_CHANGES as _MAX_CHANGES
from leat.limits import ICS_ZONE_PARTS as _MAX_PARTS
from leat.sources.calendar.ics.lines import cleaned, name_of, zone_id
from leat.sources.calendar.ics.reasons import Unreadable, reason_of
from leat.sources.calendar.ics.rules import parse_rule
from leat.sources.calendar.ics.stepping import Work, WorkExceeded, times_of
from leat.sources.calendar.ics.values import parse_time

_FIRST, _LAST = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - on the wall clock of the zone
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2}):?(\d{2})?")

Change = tuple[datetime, timedelta, timedelta]
"""A change of the clock: when by the clock before it, and the offsets before and after."""


class FileZone(tzinfo):
    """A zone as a file defines it.

    Args:
        name: its name in the file.
        changes: the changes of its clock, in order.
        before: offset from UTC before the first of them.
    """

    def __init__(self, name: str, changes: Sequence[Change], before: timedelta) -> None:
        self._name = name
        self._offsets = [before, *(after for _, _, after in changes)]
        self._utc = [local - was for local, was, _ in changes]
        pairs = list(pairwise(self._offsets))
        self._walls = tuple(
            [at + pick(pair) for at, pair in zip(self._utc, pairs, strict=True)] for pick in (max, min)
        )  # by fold, as in zoneinfo: a gap belongs to what was before it

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Return the offset at a time on the wall clock; in a gap the one before it."""
        if moment is None:
            return self._offsets[-1]
        return self._offsets[bisect_right(self._walls[moment.fold], moment.replace(tzinfo=None, fold=0))]

    def dst(self, _moment: datetime | None) -> None:
        """Return nothing: a file doesn't say what is summer."""

    def tzname(self, _moment: datetime | None) -> str:
        """Return the name of the zone."""
        return self._name

    def fromutc(self, moment: datetime) -> datetime:
        """Return a moment, given in UTC, on the wall clock."""
        offset = self._offsets[bisect_right(self._utc, moment.replace(tzinfo=None))]
        local = moment + offset
        return local if self.utcoffset(local) == offset else local.replace(fold=1)

    def __repr__(self) -> str:
        return f"FileZone({self._name!r})"


class _TooOften(Unreadable):
    """A zone has taken all the work that it may."""


class Zones:
    """The zones of one file.

    Attributes:
        unreadable: why each zone of the file that can't be read can't.
    """

    def __init__(self) -> None:
        self._own: dict[str, tzinfo] = {}
        self._work = Work(ICS_FILE_WORK)
        self.unreadable: list[str] = []

    def add(self, lines: Sequence[str], parts: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Learn a VTIMEZONE: its own lines, and the name and lines of each component in it."""
        if len(self._own) + len(self.unreadable) >= ICS_ZONES or self._work.left <= 0:
            self.unreadable = [*self.unreadable[:ICS_ZONES], f"only the first {ICS_ZONES} zones of the file are read"]
            return
        name = next((zone_id(line.partition(":")[2]) for line in lines if name_of(line) == "TZID"), "")
        try:
            self._own[name], taken = _zone(name, tuple((kind, tuple(part)) for kind, part in parts))
            self._work.left -= taken
        except Exception as error:
            self._work.left -= ICS_ZONE_WORK if isinstance(error, _TooOften) else 0
            self.unreadable.append(f"a VTIMEZONE of the file can't be read: {reason_of(error, 'it')}")

    def named(self, name: str) -> tzinfo | None:
        """Return the zone of a name; None when nobody knows it."""
        return zone_of(name, exact=True) or self._own.get(name) or zone_of(name, exact=False)


@lru_cache(maxsize=4096)
def zone_of(name: str, *, exact: bool) -> tzinfo | None:
    """Return the zone of a name in the IANA database; unless ``exact``, also by its Windows name or in other cases."""
    from zoneinfo import ZoneInfo, available_timezones

    plain = name.strip("/")
    if plain in available_timezones():
        return ZoneInfo(plain)
    if exact:
        return None
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    candidates = [plain, WINDOWS_TO_OLSON.get(plain, "")]
    candidates += ["/".join(plain.split("/")[at:]) for at in range(1, plain.count("/") + 1)]  # RFC 5545, 3.2.19
    zone = next((_by_lower_case()[each.lower()] for each in candidates if each.lower() in _by_lower_case()), None)
    return ZoneInfo(zone) if zone else None


@cache
def _by_lower_case() -> dict[str, str]:
    from zoneinfo import available_timezones

    return {name.lower(): name for name in available_timezones()}


@lru_cache(maxsize=256)
def _zone(name: str, parts: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[FileZone, int]:
    """Return a zone, and how much work it took."""
    changes: list[Change] = []
    standard: timedelta | None = None
    work = Work(ICS_ZONE_WORK)
    for kind, lines in islice((part for part in parts if part[0] in ("STANDARD", "DAYLIGHT")), _MAX_PARTS):
        values = {name_of(line): line.rpartition(":")[2].strip() for line in reversed(list(cleaned(lines)))}
        was, becomes = _offset(values, "TZOFFSETFROM"), _offset(values, "TZOFFSETTO")
        if kind == "STANDARD" and standard is None:
            standard = becomes
        changes += [(at, was, becomes) for at in islice(_onsets(values, lines, was, work), _MAX_CHANGES)]
    if not changes:
        msg = "it has no STANDARD and no DAYLIGHT"
        raise Unreadable(msg)
    changes.sort(key=lambda change: change[0] - change[1])
    return FileZone(name, changes, changes[0][1] if standard is None else standard), ICS_ZONE_WORK - work.left


def _offset(values: dict[str, str], name: str) -> timedelta:
    match = _OFFSET.fullmatch(values.get(name, ""))
    if match is None:
        msg = f"its {name} is missing or no offset like +0100"
        raise Unreadable(msg)
    hours, minutes, seconds = int(match[2]), int(match[3]), int(match[4] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        msg = f"its {name} is not within a day"
        raise Unreadable(msg)
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -offset if match[1] == "-" else offset


def _onsets(values: dict[str, str], lines: Sequence[str], was: timedelta, work: Work) -> Iterator[datetime]:
    """Yield when a part of a zone begins to hold, by the clock before it."""
    start = _local(values.get("DTSTART", ""))
    yield start
    for line in lines:
        value = line.partition(":")[2]
        if name_of(line) == "RDATE":
            yield from (_local(item.partition("/")[0]) for item in value.split(",") if item.strip())
        rule = parse_rule(value) if name_of(line) == "RRULE" else None
        if rule is None:
            continue
        if rule.frequency != "YEARLY":
            msg = "an RRULE of it isn't yearly"
            raise Unreadable(msg)
        until = rule.until
        in_utc = isinstance(until, datetime) and until.tzinfo is not None
        last = until.replace(tzinfo=None) + was if isinstance(until, datetime) and in_utc else rule.last(start)
        try:
            yield from times_of(rule, start, max(start, _FIRST), _LAST if last is None else min(last, _LAST), work)
        except WorkExceeded:
            msg = "an RRULE of it changes the clock too often"
            raise _TooOften(msg) from None


def _local(text: str) -> datetime:
    value = parse_time(text.strip(), None)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - on the wall clock of the zone
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
