"""How old what is loaded may get, and what is older: ``fresh_within`` counts from the last run that got to its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from leat.pipelines.declare.declaration import Declaration
from leat.warehouse.clock import is_future


def stale_streams(
    declarations: Mapping[str, Declaration], good_runs: Mapping[str, datetime], now: datetime
) -> dict[tuple[str, str], str]:
    """Return the streams that are older than declared, each with how old it is in words.

    Args:
        declarations: the declared integrations.
        good_runs: when each was last read to the end, from :func:`leat.control.store.last_good_runs`.
        now: the time to compare with, UTC.
    """
    result: dict[tuple[str, str], str] = {}
    for name, declaration in declarations.items():
        for stream in declaration.selected():
            within = declaration.options(stream.name).fresh_within
            read = good_runs.get(name)
            if within is None or read is None:
                continue
            if is_future(read, now):
                result[name, stream.name] = f"last read {read:%Y-%m-%d %H:%M} UTC, which is in the future"
            elif now - read > within:
                result[name, stream.name] = f"last read {read:%Y-%m-%d %H:%M} UTC, more than {within} ago"
    return result
