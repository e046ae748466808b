"""What a driver is, and where it is: ``sources/<source>/<driver>.py``, a large one in ``<driver>/driver.py``.

A driver module has three names:

``Connection``
    a frozen pydantic model of the declaration's ``connection:`` block;
``setup_tests(connection, sync)``
    yields one :class:`SetupTest` after another (``reachable``, ``authenticated``, …), each tried for real;
``extract(connection, sync)``
    yields events (:mod:`leat.sources.events`) from ``sync.cursor`` on.

``sources/<source>/streams.py`` has ``STREAMS``, a tuple of :class:`leat.sources.stream.Stream`. It is empty where the
user declares the streams; the driver then has a fourth name, ``streams(connection)``, which returns them. A source that
reads leat's own control store says ``READS_CONTROL_STORE = True`` there: a run loads it last, for the other loads write
to that store. A driver that can read a little of each stream has ``sample(connection, sync)``, which yields
:class:`leat.sources.sample.Sample`. One that can read streams from a date on has ``since_streams(connection)``, which
returns their names. One that dials other than by :mod:`leat.sources.http.client` has ``hosts(connection, sync)``, which
yields hosts and ports, and one whose connection may use keys or folders of this machine has ``borrows(connection)``,
which yields those settings, and what to write instead.

Nothing is registered: leat loads files by name, here and in the ``sources/`` folder of a project, whose modules are
imported as ``leat.project_sources.<source>``; a name that leat has itself is refused there. A driver imports heavy
libraries inside its functions, for definitions are loaded without them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict

import leat.project_sources
import leat.sources
from leat.sources.events import Event
from leat.sources.http.calls import ApiCall
from leat.sources.stream import Stream

Conceal = Callable[[str, str, Any], str]
"""Takes a stream, a column of it and a value."""

_FORBIDDEN: dict[str, str] = {}


class ConnectionModel(BaseModel):
    """What every driver's ``Connection`` derives from: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def diagnostics(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what the types can't say: the path of a mistake in the ``connection:`` block, and what is wrong."""
        yield from ()

    def gaps(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the same of what is left open, which a run needs and a preview fills in."""
        yield from ()

    def warnings(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the same of what is valid, but probably not meant."""
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
        cursor: the value of the last applied :class:`leat.sources.events.Cursor`; None for everything from the start.
        project: the project folder, for settings that name files.
        folder: a private folder that outlives the run, for caches such as git mirrors; may be deleted any time. What
            belongs to a cursor and is too large for it goes there through :mod:`leat.sources.sidecar`.
        now: the time of the run, UTC.
        since: with it, only records that have changed from this time on are wanted, whatever the cursor; a driver that
            can't read so yields nothing. None for an ordinary extraction.
        progress: called with a phrase and how many records were read since the last call.
        called: called with each HTTP request that was sent, from whichever thread sent it.
        masked: by stream, the columns whose values are hashed or encrypted in the warehouse. A driver writes none of
            them to disk, in no file name, reason or error: it writes what ``conceal`` returns, and gives that as
            :class:`leat.sources.events.Masked`.
        mask: returns the keyed hash of a value, to compare it with itself later.
        conceal: returns a value of a column of a stream as the warehouse has it: hashed, or encrypted.
        permits: returns whether leat may connect to an IP address; None if it may connect to all.
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
    conceal: Conceal = field(default=lambda _stream, _column, value: sha256(str(value).encode()).hexdigest())
    since: datetime | None = None
    permits: Callable[[str], bool] | None = None


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
    """Let a project bring sources of its own: ``<project>/sources/<source>/``.

    A process is meant to open one project: the sources of a second one are added to those of the first.
    """
    folder = folder.resolve()
    added = leat.project_sources.__path__
    if folder.is_dir() and not _is_leat(folder) and str(folder) not in added:
        added.append(str(folder))


def forbid_sources(folder: Path, why: str) -> None:
    """Let a project bring no sources of its own; none of its modules are imported then.

    Args:
        folder: ``<project>/sources/``.
        why: for the error of a declaration that wants one: the file and the line that forbids it.
    """
    folder = folder.resolve()
    added = leat.project_sources.__path__
    if str(folder) in added:
        added.remove(str(folder))
    _FORBIDDEN.clear()
    if not _is_leat(folder):
        _FORBIDDEN.update({path.parent.name: why for path in folder.glob("*/streams.py")})


def forbidden_source(source: object) -> str | None:
    """Return why a source of the project may not run; None if there is no such source, or it may."""
    return _FORBIDDEN.get(str(source))


def own_sources() -> list[str]:
    """Return the names of the sources that a project has itself and may run, sorted."""
    folders = map(Path, leat.project_sources.__path__)
    return sorted(name for folder in folders for name in {path.parent.name for path in folder.glob("*/streams.py")})


def duplicate_sources(folder: Path) -> list[str]:
    """Return the names of a project's own sources that leat's sources have too, sorted; such a source is never used."""
    if _is_leat(folder):
        return []
    return sorted(path.parent.name for path in folder.glob("*/streams.py") if _is_shipped(path.parent.name))


def _is_leat(folder: Path) -> bool:
    """Return whether a folder has leat's own sources: the project is a checkout of leat."""
    return (folder / Path(__file__).name).is_file()


def _shipped() -> Path:
    return Path(leat.sources.__path__[0])


def _is_shipped(source: str) -> bool:
    return (_shipped() / source / "streams.py").is_file()


def source_names() -> list[str]:
    """Return the names of all sources, sorted."""
    folders = [_shipped(), *map(Path, leat.project_sources.__path__)]
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/streams.py")})


def driver_names(source: str) -> list[str]:
    """Return the names of the drivers of a source, sorted: its modules that define ``extract``."""
    folders = [Path(folder) / source for folder in _package(source).__path__]
    alone = {path.stem: path for folder in folders for path in folder.glob("*.py")}
    large = {path.parent.name: path for folder in folders for path in folder.glob("*/driver.py")}
    paths = {**alone, **large}
    return sorted(name for name, path in paths.items() if "\ndef extract(" in path.read_text(encoding="utf-8"))


def _package(source: str) -> ModuleType:
    """Return the package that a source is in: leat's own, or that of the project."""
    return leat.sources if _is_shipped(source) else leat.project_sources


def load_streams(source: str) -> tuple[Stream, ...]:
    """Return the canonical streams of a source, in the order in which it declares them."""
    return cast("tuple[Stream, ...]", _streams_module(source).STREAMS)


def reads_control_store(source: str) -> bool:
    """Return whether a source reads leat's control store, to which the loads of the other sources write."""
    return bool(getattr(_streams_module(source), "READS_CONTROL_STORE", False))


def _streams_module(source: str) -> ModuleType:
    return importlib.import_module(f"{_package(source).__name__}.{source}.streams")


def streams_of(source: str, driver: str, connection: ConnectionModel) -> tuple[Stream, ...]:
    """Return the streams of one declaration: those of its source, or those that its connection declares."""
    canonical = load_streams(source)
    if canonical:
        return canonical
    module: Any = load_driver(source, driver)
    return cast("tuple[Stream, ...]", module.streams(connection))


def since_streams(source: str, driver: str, connection: ConnectionModel) -> frozenset[str]:
    """Return the names of the streams that a driver can read from a date on (:attr:`Sync.since`)."""
    module = load_driver(source, driver)
    named = getattr(module, "since_streams", None)
    return frozenset() if named is None else frozenset(named(connection))


def source_module(source: str) -> ModuleType:
    """Return the package of a source."""
    return importlib.import_module(f"{_package(source).__name__}.{source}")


def describe_source(source: str) -> str:
    """Return the first sentence of a source's docstring: what kind of system it is."""
    return (source_module(source).__doc__ or "").strip().split("\n")[0]


def describe_driver(source: str, driver: str) -> str:
    """Return the first sentence of a driver's docstring: what it reads."""
    said = (load_driver(source, driver).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    text = re.sub(r"^Driver(?: ``\w+``)?(?: for|:) ", "", said).replace("``", "")
    return text[:1].upper() + text[1:]


def load_driver(source: str, driver: str) -> Driver:
    """Return the module of a driver."""
    folders = _package(source).__path__
    is_large = any((Path(folder) / source / driver / "driver.py").is_file() for folder in folders)
    name = f"{_package(source).__name__}.{source}.{driver}"
    return cast("Driver", importlib.import_module(f"{name}.driver" if is_large else name))
