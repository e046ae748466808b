"""The three kinds of time in iCalendar: an instant in a zone, a wall-clock time without one, and a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def plain(value: date) -> datetime:
    """Return a datetime as it is, and midnight for a date."""
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def instant(value: date) -> datetime:
    """Return a date or datetime as an instant; what has no zone is read as UTC.

    Raises:
        OverflowError: its zone leads it outside of the years 1 to 9999.
    """
    moment = plain(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def identity(value: date) -> str:
    """Return a recurrence id as text: UTC, floating, or a date."""
    if not isinstance(value, datetime):
        return f"{value.year:04}{value:%m%d}"
    moment = value if value.tzinfo is None else value.astimezone(UTC)
    return f"{moment.year:04}{moment:%m%dT%H%M%S}{'' if value.tzinfo is None else 'Z'}"


def zone_of(value: date) -> tzinfo | None:
    """Return the zone of a time; None for a date and for a time without a zone."""
    return value.tzinfo if isinstance(value, datetime) else None


def on_wall(value: date, like: date) -> datetime:
    """Return a date or time on the wall clock of another; what has no zone is there already."""
    zone, moment = zone_of(like), plain(value)
    if moment.tzinfo is not None and zone is not None:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=None)


def off_wall(moment: datetime, like: date) -> date:
    """Return a time on the wall clock of another as that kind of time."""
    if not isinstance(like, datetime):
        return moment.date()
    return moment.replace(tzinfo=like.tzinfo)


def moved(moment: datetime, by: timedelta) -> datetime:
    """Return a moment moved, but not out of the calendar: its first or last moment at most."""
    try:
        return moment + by
    except OverflowError:
        edge, at = (date.min, time.min) if by < timedelta() else (date.max, time.max)
        return datetime.combine(edge, at, moment.tzinfo)
