"""What a driver is, and how one is found: ``sources/<source>/<driver>.py`` beside ``sources/<source>/streams.py``.

A driver module has three names:

``Connection``
    a frozen pydantic model of the declaration's ``connection:`` block;
``setup_tests(connection, sync)``
    yields one :class:`SetupTest` after another (``reachable``, ``authenticated``, …), each tried for real;
``extract(connection, sync)``
    yields events (:mod:`sources.events`) from ``sync.cursor`` on.

``sources/<source>/streams.py`` has ``STREAMS``, a tuple of :class:`sources.stream.Stream`. It is empty where the user
declares the streams; the driver then has a fourth name, ``streams(connection)``, which returns them. A driver that can
read a little of each stream has ``look(connection, sync)``, which yields :class:`sources.looks.Look`. One that can read
streams from a date on has ``since_streams(connection)``, which returns their names. Nothing is
registered: files are found by name, here and in the ``sources/`` folder of a project. A driver imports heavy libraries
inside its functions, for definitions are loaded without them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict

import sources
from sources.events import Event
from sources.stream import Stream
from sources.web.calls import ApiCall


class ConnectionModel(BaseModel):
    """What every driver's ``Connection`` derives from: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def mistakes(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what the types can't say: the path of a mistake in the ``connection:`` block, and what is wrong."""
        yield from ()

    def gaps(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the same of what is left open, which a run needs and a preview fills in."""
        yield from ()

    def columns_in_cursor(self, _stream: str) -> frozenset[str]:
        """Return the columns of a stream whose values the driver writes into its cursor, in clear."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Sync:
    """What one extraction is given.

    Attributes:
        integration: name of the declaration.
        streams: names of the selected streams; events of others are dropped, so a driver may skip their work.
        cursor: the value of the last applied :class:`sources.events.Cursor`; None for everything from the start.
        project: the project folder, for settings that name files.
        folder: a private folder that outlives the run, for caches such as git mirrors; may be deleted any time.
        now: the time of the run, UTC.
        since: with it, only records that have changed from this time on are wanted, whatever the cursor; a driver that
            can't read so yields nothing. None for an ordinary extraction.
        progress: called with a phrase and how many records were read since the last call.
        called: called with each HTTP request that was sent, from whichever thread sent it.
        masked: by stream, the columns whose values are hashed in the warehouse. A driver writes none of them to disk,
            in no file name, reason or error: it writes what ``mask`` returns, and gives that as
            :class:`sources.events.Masked`.
        mask: returns the keyed hash of a value, as the warehouse has it.
    """

    integration: str
    streams: frozenset[str]
    cursor: Mapping[str, Any] | None
    project: Path
    folder: Path
    now: datetime
    progress: Callable[[str, int], None] = field(default=lambda _what, _count: None)
    called: Callable[[ApiCall], None] = field(default=lambda _call: None)
    masked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    mask: Callable[[str], str] = field(default=lambda value: sha256(value.encode()).hexdigest())
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetupTest:
    """The outcome of one named check of a connection.

    Attributes:
        name: what was tried, for example ``authenticated`` or ``may list calendars``.
        ok: whether it worked.
        detail: what was seen, or what went wrong and what to do next.
    """

    name: str
    ok: bool
    detail: str


class Driver(Protocol):
    """The names that a driver module has."""

    Connection: type[ConnectionModel]

    def setup_tests(self, connection: Any, sync: Sync) -> Iterator[SetupTest]: ...  # noqa: D102 - see the module

    def extract(self, connection: Any, sync: Sync) -> Generator[Event]: ...  # noqa: D102 - see the module


def add_sources(folder: Path) -> None:
    """Let a project bring sources of its own: ``<project>/sources/<source>/`` beside those of leat."""
    if folder.is_dir() and str(folder) not in sources.__path__:
        sources.__path__.append(str(folder))


def source_names() -> list[str]:
    """Return the names of all sources, sorted."""
    return sorted({path.parent.name for folder in sources.__path__ for path in Path(folder).glob("*/streams.py")})


def driver_names(source: str) -> list[str]:
    """Return the names of the drivers of a source, sorted: its modules that define ``extract``."""
    return sorted(
        path.stem
        for folder in sources.__path__
        for path in (Path(folder) / source).glob("*.py")
        if "\ndef extract(" in path.read_text(encoding="utf-8")
    )


def load_streams(source: str) -> tuple[Stream, ...]:
    """Return the canonical streams of a source, in the order in which it declares them."""
    return cast("tuple[Stream, ...]", importlib.import_module(f"sources.{source}.streams").STREAMS)


def streams_of(source: str, driver: str, connection: ConnectionModel) -> tuple[Stream, ...]:
    """Return the streams of one declaration: those of its source, or those that its connection declares."""
    canonical = load_streams(source)
    if canonical:
        return canonical
    module = importlib.import_module(f"sources.{source}.{driver}")
    return cast("tuple[Stream, ...]", module.streams(connection))


def since_streams(source: str, driver: str, connection: ConnectionModel) -> frozenset[str]:
    """Return the names of the streams that a driver can read from a date on (:attr:`Sync.since`)."""
    module = importlib.import_module(f"sources.{source}.{driver}")
    named = getattr(module, "since_streams", None)
    return frozenset() if named is None else frozenset(named(connection))


def describe_source(source: str) -> str:
    """Return the first sentence of a source's docstring: what kind of system it is."""
    return (importlib.import_module(f"sources.{source}").__doc__ or "").strip().split("\n")[0]


def load_driver(source: str, driver: str) -> Driver:
    """Return the module of a driver."""
    return cast("Driver", importlib.import_module(f"sources.{source}.{driver}"))
