"""What a driver's file here has to give: a real system that holds something, and that can be changed and taken away."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from leat.catalog.document import documented_sources
from leat.sources.driver import driver_names

SECRET = "planted-9f3kQx7Zt-secret"
REFUSED = "planted-wr0ngW8mB2-secret"
"""Passwords: the right one, and one that the system refuses."""

PERSON = "Quorbina Zylthwaite"
MAIL = "quorbina.zylthwaite@planted.example"
"""Planted where only a personal column delivers them."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Keys:
    """The living rows of a stream, as the system itself lists them, by the columns that it can list."""

    columns: tuple[str, ...]
    values: frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Step:
    """What a change to the system may and must bring about.

    Attributes:
        touched: by stream, whether a row may differ after it; streams that are not named stay as they are.
        seen: stream, and values that exactly one living row has after it.
        gone: stream, and values that no living row has after it.
    """

    touched: Mapping[str, Callable[[Row], bool]]
    seen: Sequence[tuple[str, Row]] = ()
    gone: Sequence[tuple[str, Row]] = ()


@dataclass
class World:
    """A running system.

    Attributes:
        connection: the ``connection:`` of a declaration.
        environment: the variables that it names.
        refused: those of them that hold wrong credentials.
        keys: what the system holds, asked without the driver; streams that can't be asked for are named in ``blind``.
        add: adds a thing.
        change: changes it.
        delete: deletes it.
        stop: makes the system unreachable.
        start: makes it reachable again, at the same address.
        requests: how many requests with credentials the system has had.
        blind: stream, and why the system can't be asked what it holds.
        empty: streams for which the system can't be given anything.
        secrets: other forms in which a secret travels, for example base64.
    """

    connection: Mapping[str, Any]
    environment: Mapping[str, str]
    refused: Mapping[str, str]
    keys: Callable[[], Mapping[str, Keys]]
    add: Callable[[], Step]
    change: Callable[[], Step]
    delete: Callable[[], Step]
    stop: Callable[[], None]
    start: Callable[[], None]
    requests: Callable[[], int]
    blind: Mapping[str, str] = field(default_factory=dict)
    empty: Sequence[str] = ()
    secrets: Sequence[str] = ()


class WorldFile(Protocol):
    """The module of a driver."""

    def open_world(self, folder: Path, database: Callable[[], str]) -> AbstractContextManager[World]:
        """Start the system; ``database`` gives the URL of an empty Postgres database."""


def drivers() -> list[tuple[str, str]]:
    """Return every (source, driver) of leat itself."""
    return [(source, driver) for source in documented_sources() for driver in driver_names(source)]


def world_file(source: str, driver: str) -> WorldFile:
    """Return the module that starts the system of a driver."""
    return cast("WorldFile", importlib.import_module(f"tests.contract.{source}_{driver}"))
