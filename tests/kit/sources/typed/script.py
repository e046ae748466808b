"""Yield the events of a script."""

from __future__ import annotations

from collections.abc import Iterator

from leat.project_sources.tally.script import Connection, follow, setup_tests
from leat.project_sources.typed.streams import STREAMS

from leat.sources.driver import Sync
from leat.sources.events import Event

__all__ = ["Connection", "setup_tests"]


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    yield from follow(connection, sync, STREAMS)
