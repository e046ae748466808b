"""When something may be sent: the last digest, and quiet hours, by the clock of the declared zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from leat.quality.alerts.declaration import Digest, QuietHours


def last_digest(digest: Digest, now: datetime) -> datetime:
    """Return the last moment, up to now, at which the digest was due."""
    zone = ZoneInfo(digest.zone)
    today = now.astimezone(zone).date()
    due = datetime.combine(today, digest.at, zone)
    return due if due <= now else datetime.combine(today - timedelta(days=1), digest.at, zone)


def is_quiet(hours: QuietHours, now: datetime) -> bool:
    """Return whether it is between start and end, which may be on the next day; at the end it isn't any more."""
    clock = now.astimezone(ZoneInfo(hours.zone)).time()
    if hours.start < hours.end:
        return hours.start <= clock < hours.end
    return clock >= hours.start or clock < hours.end
