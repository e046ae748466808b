"""Times as git records them: seconds since 1970 and an offset; both may be nonsense."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST = -62_135_596_800  # 0001-01-01
_LAST = 253_402_300_799  # 9999-12-31 23:59:59


def micros(when: datetime | str) -> int | None:
    """Return microseconds since 1970; of seconds as text, None unless they are in the years 1 to 9999."""
    if isinstance(when, datetime):
        passed = when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    try:
        seconds = int(when)
    except ValueError:
        return None
    return seconds * 1_000_000 if _FIRST <= seconds <= _LAST else None


def recorded(date: str) -> tuple[int | None, str | None]:
    """Return microseconds and offset of git's raw form, for example ``1700000000 +0200``."""
    seconds, _, offset = date.partition(" ")
    return micros(seconds), offset or None
