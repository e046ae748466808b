"""One course of runs over one driver's system, in three projects side by side; the tests look at what it left.

The projects are ``duckdb``, ``postgres`` and ``masked``: on DuckDB, personal columns hashed, one column of each stream
left out. The stages: a first run, one with nothing new, one with refused credentials, one with the system stopped, and
one each after something was added, changed and deleted.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyarrow import Schema, parquet

from leat.control.store import open_control
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load import state
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.event_log import landed_stream
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.runs.recorder import Recorder, register
from leat.sources.driver import SetupTest, Sync, load_driver, streams_of
from leat.sources.events import Event
from leat.sources.stream import Stream
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Warehouse, quote
from tests.contract.evidence import places_of, stored_values, written
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Step, World
from tests.kit.engines import EMBEDDED_URL

DUCKDB, POSTGRES, MASKED = "duckdb", "postgres", "masked"
Table = dict[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Stage:
    """What one run read and left.

    Attributes:
        result: what the run said.
        tables: the rows of every stream by key, deleted ones too.
        cursor: where the next extraction goes on.
        published: what distinguishes one published file from the next; None on Postgres.
        requests: how many requests with credentials the run made.
        expected: what the system held.
        step: what was done to it before the run.
        leaks: where a secret was while the load was landed, or after the run.
    """

    result: IntegrationResult
    tables: Mapping[str, Table]
    cursor: Any
    published: Hashable
    requests: int
    expected: Mapping[str, Keys]
    step: Step | None
    leaks: Sequence[str]

    def living(self, stream: str) -> list[dict[str, Any]]:
        return [row for row in self.tables[stream].values() if row["_deleted_at"] is None]


@dataclass
class Place:
    """One of the projects."""

    name: str
    source: str
    project: Project
    stages: dict[str, Stage] = field(default_factory=dict)
    landed: dict[str, Schema] = field(default_factory=dict)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)

    @functools.cached_property
    def warehouse(self) -> Warehouse:
        """Opened once: every one that is opened has a connection to Postgres."""
        return open_warehouse(self.project.warehouse_url, self.project.state)

    @functools.cached_property
    def declaration(self) -> Declaration:
        """Read once: it stays as it is."""
        return load_declarations(self.project)[self.source]

    def engine(self, **changes: Any) -> Engine:
        return Engine(self.project, self.warehouse, {self.source: self.declaration}, **changes)

    def search(self, needles: Sequence[str], leave_out: Sequence[Path] = ()) -> list[str]:
        """Return where the needles are in the files and in the warehouse."""
        places = list(written(self.project.state, leave_out))
        with self.warehouse.snapshot() as session:
            places += stored_values(session)
        return places_of(needles, places)


@dataclass
class Course:
    """Everything that the tests look at.

    Attributes:
        source: name of the source; the integration is called so too.
        driver: name of the driver.
        world: the system.
        places: the projects by name.
        extracted: what the driver itself yields, at first and from its own cursor on.
        setup: the setup tests when all is well, with refused credentials, with the system stopped.
    """

    source: str
    driver: str
    world: World
    places: dict[str, Place]
    extracted: dict[str, list[Event]] = field(default_factory=dict)
    setup: dict[str, list[SetupTest]] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[Stream, ...]:
        return declared_streams(self.source, self.driver, self.world)

    @property
    def secrets(self) -> list[str]:
        return [SECRET, REFUSED, *self.world.secrets]


def declared_streams(source: str, driver: str, world: World) -> tuple[Stream, ...]:
    """Return the streams that a declaration of the system has."""
    connection = load_driver(source, driver).Connection.model_validate(world.connection)
    return streams_of(source, driver, connection)


def left_out(stream: Stream) -> str | None:
    """Return the column that the masked project leaves out of a stream: a plain one outside the key."""
    plain = [c.name for c in stream.columns if c.name not in (*stream.key, stream.version) and not c.personal]
    return plain[-1] if plain else None


def declare(folder: Path, source: str, driver: str, world: World, masked: bool) -> None:
    """Write the declaration; it is JSON, which is YAML."""
    streams = {}
    if masked:
        every = declared_streams(source, driver, world)
        streams = {s.name: {"mask": True, "exclude": [c] if (c := left_out(s)) else []} for s in every}
    declaration = {"source": source, "driver": driver, "connection": world.connection, "streams": streams}
    path = folder / "pipelines" / f"{source}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declaration))


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_course(
    source: str,
    driver: str,
    world: World,
    folder: Path,
    database: Callable[[], str],
    follow: Callable[[str, Mapping[str, Keys]], None],
) -> Course:
    """Go through all stages in all projects; ``follow`` is called after each in which the system held something new."""
    course = Course(source, driver, world, {})
    for name in (DUCKDB, POSTGRES, MASKED):
        where = folder / name
        declare(where, source, driver, world, name == MASKED)
        url = database() if name == POSTGRES else EMBEDDED_URL
        project = Project(where, where / ".leat", url, f"sqlite:///{where / '.leat' / 'control.db'}")
        project.state.mkdir(mode=0o700)
        course.places[name] = Place(name, source, project)
    with variables(world.environment):
        _extract_directly(course, folder / "direct")
        course.setup["good"] = _setup(course)
        _stage(course, "first", None)
        _stage(course, "second", None)
        _failures(course)
        follow("first", world.keys())
        for name, act in (("added", world.add), ("changed", world.change), ("deleted", world.delete)):
            _stage(course, name, act())
            follow(name, world.keys())
    return course


def _failures(course: Course) -> None:
    world, plain = course.world, (DUCKDB, POSTGRES)
    with variables(world.refused):
        _stage(course, "refused", None, plain)
        course.setup["refused"] = _setup(course)
    before = world.keys()
    world.stop()
    _stage(course, "stopped", None, plain, expected=before, attempts=1)
    course.setup["stopped"] = _setup(course)
    world.start()


def _extract_directly(course: Course, folder: Path) -> None:
    place = course.places[DUCKDB]
    driver, cursor = load_driver(course.source, course.driver), None
    folder.mkdir()
    for name in ("first", "second"):
        streams = frozenset(stream.name for stream in course.streams)
        sync = Sync(course.source, streams, cursor, place.project.folder, folder, datetime.now(UTC))
        course.extracted[name] = list(driver.extract(place.declaration.connection, sync))
        values = [event.value for event in course.extracted[name] if type(event).__name__ == "Cursor"]
        cursor = json.loads(json.dumps(values[-1])) if values else cursor


def _setup(course: Course) -> list[SetupTest]:
    place = course.places[DUCKDB]
    streams = frozenset(stream.name for stream in course.streams)
    folder = place.project.state / "sources" / course.source
    folder.mkdir(parents=True, exist_ok=True)
    sync = Sync(course.source, streams, None, place.project.folder, folder, datetime.now(UTC))
    return list(load_driver(course.source, course.driver).setup_tests(place.declaration.connection, sync))


def _stage(
    course: Course,
    name: str,
    step: Step | None,
    places: Sequence[str] = (DUCKDB, POSTGRES, MASKED),
    expected: Mapping[str, Keys] | None = None,
    attempts: int = 3,
) -> None:
    streams = course.world.keys() if expected is None else expected
    for place in (course.places[each] for each in places):
        place.stages[name] = _run(course, place, streams, step, attempts)


def _run(course: Course, place: Place, expected: Mapping[str, Keys], step: Step | None, attempts: int) -> Stage:
    leaks: list[str] = []

    def on_phase(_integration: str, phase: str) -> None:
        recorder.on_phase(_integration, phase)
        if phase == "landed":
            leaks.extend(_landed(course, place))

    store = open_control(place.project.control_url)
    recorder = Recorder(store, "cli")
    engine = place.engine(attempts=attempts, observe=on_phase, called=recorder.on_call)
    register(store, engine.declarations)
    before = course.world.requests()
    result = run_integration(engine, place.source, Request())
    requests = course.world.requests() - before
    recorder.on_result(result)
    store.dispose()
    publish_version(engine.warehouse)
    leaks += place.search(course.secrets)
    tables, cursor = _read(course, place, engine)
    published = None if place.warehouse.publication is None else place.warehouse.publication.version()
    return Stage(result, tables, cursor, published, requests, expected, step, leaks)


def _landed(course: Course, place: Place) -> list[str]:
    """Note the schemas of what is landed; return where a secret is in it."""
    for file in sorted((place.project.state / "landing").rglob("*.parquet")):
        for stream in course.streams:
            if file.parent.name == landed_stream(stream.name):
                place.landed.setdefault(stream.name, parquet.read_schema(file))
    needles = course.secrets
    leaks = places_of(needles, written(place.project.state))
    if place.name == MASKED:
        leaks += raw_values(course, place, from_warehouse=False)
    return leaks


def raw_values(course: Course, place: Place, *, from_warehouse: bool) -> list[str]:
    """Return where a raw personal value is; the driver's own copy of what it read, its cache, isn't looked at."""
    caches = [place.project.state / "sources"]
    if from_warehouse:
        return place.search([PERSON, MAIL], caches)
    return places_of([PERSON, MAIL], written(place.project.state, caches))


def _read(course: Course, place: Place, engine: Engine) -> tuple[dict[str, Table], Any]:
    tables: dict[str, Table] = {}
    with engine.warehouse.published() as session:
        for stream in course.streams:
            columns = session.columns(course.source, stream.name)
            place.columns[stream.name] = columns
            rows = session.execute(f"SELECT * FROM {quote(course.source, stream.name)}")
            named = [dict(zip(columns, row, strict=True)) for row in rows]
            tables[stream.name] = {tuple(row[name] for name in stream.key): row for row in named}
            assert len(tables[stream.name]) == len(named), f"{stream.name} holds a key twice"
        cursor = state.read_state(session, course.source).cursor
    return tables, cursor
