"""Times as a person gives them to times of an event."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from leat.sources.actions import Refused
from leat.sources.calendar.ics.times import on_wall
from leat.sources.calendar.parameters import Times


def shown(value: date) -> str:
    """Return a time as people read it: on its wall clock, with its zone."""
    if not isinstance(value, datetime):
        return f"{value:%a %Y-%m-%d}"
    zone = "" if value.tzinfo is None else f" {getattr(value.tzinfo, 'key', None) or value.tzname()}"
    return f"{value:%a %Y-%m-%d %H:%M}{zone}"


def in_zone(value: datetime, zone: tzinfo, name: str) -> datetime:
    """Return a wall-clock time in a zone.

    Raises:
        Refused: the clock leaves that time out, or shows it twice.
    """
    placed = value.replace(tzinfo=zone)
    if placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != value:
        msg = f"{name}: the clock is put forward over {value:%Y-%m-%d %H:%M} in {zone}; give another time"
        raise Refused(msg)
    if placed.utcoffset() != placed.replace(fold=1).utcoffset():
        msg = f"{name}: the clock shows {value:%Y-%m-%d %H:%M} twice in {zone}; give another time, or the zone UTC"
        raise Refused(msg)
    return placed


def new_times(wanted: Times) -> tuple[date, date]:
    """Return start and end of a new event; a time with an offset becomes UTC.

    Raises:
        Refused: the clock leaves one of them out, or shows it twice.
    """
    if not isinstance(wanted.starts, datetime):
        return wanted.starts, wanted.ends or wanted.starts + timedelta(days=1)
    start = _new(wanted.starts, wanted.zone, "starts")
    if isinstance(wanted.ends, datetime):
        return start, _ordered(start, _new(wanted.ends, wanted.zone, "ends"))
    return start, later(start, wanted.minutes or 0)


def _new(value: datetime, zone: str | None, name: str) -> datetime:
    if value.tzinfo is not None or zone is None:
        return value.astimezone(UTC)
    return in_zone(value, ZoneInfo(zone), name)


def later(start: datetime, minutes: int) -> datetime:
    """Return the time some minutes later, as time passes."""
    if start.tzinfo is None:
        return start + timedelta(minutes=minutes)
    return (start.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(start.tzinfo)


def like(value: date, zone: str | None, old: date, name: str) -> date:
    """Return a time that somebody gives as the same kind of time as another: date, in its zone, or without a zone.

    Raises:
        Refused: it is of another kind, or the clock leaves it out or shows it twice.
    """
    if isinstance(value, datetime) is not isinstance(old, datetime):
        kind = "at a time of day: give a time" if isinstance(old, datetime) else "whole days: give a date"
        msg = f"{name}: the event takes place {kind}"
        raise Refused(msg)
    if not isinstance(value, datetime) or not isinstance(old, datetime):
        return value
    if value.tzinfo is None and zone is not None:
        value = in_zone(value, ZoneInfo(zone), name)
    if old.tzinfo is None:
        if value.tzinfo is not None:
            msg = f"{name}: the event has no zone: give a time without zone and offset"
            raise Refused(msg)
        return value
    wall = value if value.tzinfo is None else on_wall(value, old)
    return in_zone(wall, old.tzinfo, name)


def _ordered(start: datetime, end: datetime) -> datetime:
    if end <= start:
        msg = "ends: it has to be after starts"
        raise Refused(msg)
    return end
