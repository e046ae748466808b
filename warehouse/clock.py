"""Times that leat wrote itself, read by a clock that may have been wrong: one that is still to come says nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

SKEW = timedelta(minutes=5)
"""By so much the clocks of several machines may differ."""


def is_future(at: datetime, now: datetime) -> bool:
    """Return whether a mark is of a time that is still to come: the clock was ahead when it was written."""
    return at > now + SKEW


def is_within(at: datetime, now: datetime, span: timedelta) -> bool:
    """Return whether a mark is younger than a span; one from the future isn't."""
    return not is_future(at, now) and now - at < span
