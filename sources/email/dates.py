"""Times in headers (RFC 5322, section 3.3) to instants; what can't be read is None."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_ZONE = re.compile(r"([+-]\d{4}|[A-Z]{1,5})\s*(?:\([^)]*\))?\s*$")


def instant(value: str | None) -> tuple[datetime | None, str | None]:
    """Return the instant and the zone as written; ``-0000`` and no zone are read as UTC."""
    from email.utils import parsedate_to_datetime

    if not value:
        return None, None
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None, None
    zone = _ZONE.search(value.strip())
    return moment, zone[1] if zone else None
