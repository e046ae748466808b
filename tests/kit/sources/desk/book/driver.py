"""Reads nothing: this driver is there for its actions."""

from collections.abc import Iterator

from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.events import Event


class Connection(ConnectionModel):
    url: str
    timeout: float = 2
    settle: float = 0.2


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    yield SetupTest("reachable", True, "")


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    yield from ()
