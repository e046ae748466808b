"""Yield the events of a script."""

from __future__ import annotations

from collections.abc import Iterator

from sources.tally.script import Connection, follow, setup_tests
from sources.typed.streams import STREAMS

from sources.driver import Sync
from sources.events import Event

__all__ = ["Connection", "setup_tests"]


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    yield from follow(connection, sync, STREAMS)
