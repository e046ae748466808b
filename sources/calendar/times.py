"""The three kinds of time in iCalendar: an instant in a zone, a wall-clock time without one, and a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time


def plain(value: date) -> datetime:
    """Return a datetime as it is, and midnight for a date."""
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def instant(value: date) -> datetime:
    """Return a date or datetime as an instant; what has no zone is read as UTC."""
    moment = plain(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def identity(value: date) -> str:
    """Return a recurrence id as text: UTC, floating, or a date."""
    if not isinstance(value, datetime):
        return value.strftime("%Y%m%d")
    if value.tzinfo is None:
        return value.strftime("%Y%m%dT%H%M%S")
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def zone_name(value: date) -> str | None:
    """Return the name of the zone; None for a date and for a time without a zone."""
    zone = value.tzinfo if isinstance(value, datetime) else None
    return None if zone is None else str(getattr(zone, "key", None) or getattr(zone, "_tzid", None) or zone)
