"""Times on the command line: a date, a time, or a duration from now."""

from __future__ import annotations

from datetime import UTC, datetime

from leat.cli.usage import UsageMistake


def read_past(text: str, option: str) -> datetime:
    """Return the time that an option names, UTC: ``2026-01-31``, ``2026-01-31T12:00``, or ``PT1H`` for an hour ago.

    Raises:
        UsageMistake: it is none, or it is in the future.
    """
    from leat.pipelines.declare.values import duration

    now = datetime.now(UTC)
    try:
        moment: datetime = now - duration(text) if text.startswith("P") else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        msg = f"{option} {text[:40]!r} is no date; write 2026-01-31, 2026-01-31T12:00 (UTC) or P1D for a day ago"
        raise UsageMistake(msg) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > now:
        msg = f"{option} {text} is in the future"
        raise UsageMistake(msg)
    return moment
