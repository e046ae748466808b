"""When a mail is to be sent: a time with an offset, or one on the wall clock of a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones


def zone_name(value: str) -> str:
    """Return the name of a time zone.

    Raises:
        ValueError: there is none of this name.
    """
    if value not in available_timezones():
        msg = "write a time zone like Europe/Berlin"
        raise ValueError(msg)
    return value


def moment_of(at: datetime, zone: str | None) -> datetime:
    """Return the moment in UTC; of two at which a clock shows the same, the first.

    Raises:
        ValueError: the time needs a zone, has two, or the clocks of the zone skip it.
    """
    if (at.tzinfo is None) is (zone is None):
        msg = "give its zone too, or write an offset" if zone is None else "the time has an offset already"
        raise ValueError(msg)
    if zone is None:
        return at.astimezone(UTC)
    moment = at.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != at.replace(fold=0):
        msg = "the clocks there skip this time"
        raise ValueError(msg)
    return moment
