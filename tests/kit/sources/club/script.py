"""Yield the events of a script, as tally does."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from leat.project_sources.club.streams import STREAMS
from leat.project_sources.tally.script import Connection, setup_tests
from leat.project_sources.tally.script import follow as follow_script

from leat.sources.driver import Sync
from leat.sources.events import Event

__all__ = ["Connection", "extract", "setup_tests"]


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    yield from follow_script(connection, sync, STREAMS, _typed)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    convert: dict[str, Any] = {"seen_at": datetime.fromisoformat, "born_on": date.fromisoformat}
    return {name: convert[name](v) if name in convert and v is not None else v for name, v in row.items()}
