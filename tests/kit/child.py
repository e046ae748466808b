"""Processes that a test starts and kills: one that runs the integration and publishes, one that reads all the while.

They are forked from a server that has imported everything and opened nothing, so that a process costs milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.run import run_integration
from leat.sources.driver import load_driver
from leat.sources.events import Event
from leat.warehouse.publication import publish_version
from leat.warehouse.session import WarehouseError
from leat.warehouse.url import is_shared_lake, read_lake_url
from tests.kit.engines import is_server
from tests.kit.project import Tally

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "tests.kit.warm"])
POLL = 0.02
STATEMENT = "leat.statement"


class Startable(Protocol):
    """A declared project that a process of its own can run; it is sent there, so it is plain data."""

    def prepare(self) -> None:
        """Give the process what the project needs: sources, variables."""

    def engine(self, **changes: Any) -> Engine:
        """Return the engine, with some of its fields changed."""


@dataclass(frozen=True)
class Point:
    """Where a run kills itself.

    Attributes:
        at: ``observe`` (a phase of the engine), ``progress`` (records were read), ``event`` (the engine took an event
            of the driver and asks for the next), ``sql`` (before a statement that
            contains ``what``), ``audit`` (an audit event of Python or of leat, a space, a pattern of its first
            argument), ``audited`` (``what`` milliseconds after any audit event; 0 for none: the result then has under
            this name how many there were). Two do not kill: ``disk`` (from the phase on, no file may grow beyond
            ``nth`` bytes), and ``full`` (from the statement on, no file may grow at all).
        what: the phase, the text, the event.
        nth: the how-manieth time.
    """

    at: str
    what: str = ""
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.at}-{self.what}-{self.nth}".replace(" ", "_").replace('"', "").replace("/", "_")


HALF_A_COPY = Point("audit", "leat.copy .draft", 2)
"""The first part of the published file's draft is written, the second isn't."""


def begin(process: Any) -> None:
    """Start a process that a thread waits for.

    Python asks all processes for their exit code whenever one is started. Of two threads that ask, one gets it, and the
    other takes its place with 255. So no thread but the one that waits is to see the process.
    """
    process.start()
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]


def start_run(
    project: Startable, point: Point | None = None, request: Request | None = None, name: str = "tally"
) -> tuple[Any, Connection]:
    """Start a run with publication; the connection gives the result as a dict, unless the run is killed."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_run, args=(project, point, request or Request(), name, there), daemon=True)
    process.start()
    there.close()
    return process, here


def run_to_end(
    project: Startable, point: Point | None = None, request: Request | None = None, name: str = "tally"
) -> dict[str, Any] | None:
    """Run in a process of its own; returns the result, or None when it was killed."""
    return result_of(*start_run(project, point, request, name))


def result_of(process: Any, connection: Connection) -> dict[str, Any] | None:
    """Wait for a run to end; returns its result, or None when it was killed."""
    with connection:
        try:
            result = connection.recv()
        except EOFError:
            result = None
    process.join()
    return result


def _run(project: Startable, point: Point | None, request: Request, name: str, answer: Connection) -> None:
    project.prepare()
    observers = _arm(point) if point and point.at != "event" else {}
    engine = project.engine(**observers)
    if point and point.at == "event":
        _arm_driver(engine, name, point.nth)
    result = run_integration(engine, name, request)
    try:
        engine.observe(name, "publishing")
        publish_version(engine.warehouse)
        engine.observe(name, "published")
    except WarehouseError as error:
        result = replace(result, status="failed", error=str(error), error_type="WarehouseError")
    answer.send(asdict(result) | {"audited": _audited[0]})
    answer.close()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(point: Point) -> dict[str, Callable[..., None]]:
    """Arrange for the process to kill itself at the point; returns what the engine is to be given."""
    left = [point.nth]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            _die()

    if point.at == "observe":
        return {"observe": lambda _name, phase: count() if phase == point.what else None}
    if point.at == "disk":
        return {"observe": lambda _name, phase: _fill_the_disk(point.nth) if phase == point.what else None}
    if point.at == "progress":
        return {"progress": lambda _name, _what, _count: count()}
    if point.at == "full":
        _audit(STATEMENT, re.escape(point.what), lambda: _fill_the_disk(0))
    elif point.at == "sql":
        _audit(STATEMENT, re.escape(point.what), count)
    elif point.at == "audited":
        _count_all(point.nth, float(point.what or 0) / 1000)
    elif point.at == "audit":
        event, _, pattern = point.what.partition(" ")
        _audit(event, pattern, count)
    else:
        raise ValueError(point)
    return {}


_audited = [0]


def _count_all(nth: int, after: float) -> None:
    """Count all audit events; a time after the nth the process dies, wherever it is then."""

    def hook(_name: str, _args: tuple[Any, ...]) -> None:
        _audited[0] += 1
        if _audited[0] == nth:
            if after:
                signal.setitimer(signal.ITIMER_REAL, after)  # nobody catches the signal
            else:
                _die()

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    sys.addaudithook(hook)


def _arm_driver(engine: Engine, name: str, nth: int) -> None:
    driver: Any = load_driver(engine.declarations[name].source, engine.declarations[name].driver)
    extract = driver.extract

    def killed(*args: Any) -> Iterator[Event]:
        for number, event in enumerate(extract(*args), 1):
            yield event
            if number == nth:
                _die()

    driver.extract = killed


def _fill_the_disk(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _audit(event: str, pattern: str, action: Callable[[], None]) -> None:
    """Let the process do something before each audit event of a name whose first argument has the pattern."""

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if name == event and re.search(pattern, str(args[0])):
            action()

    sys.addaudithook(hook)


@dataclass(frozen=True)
class Seen:
    """What a reader saw.

    Attributes:
        polls: how often it looked.
        answers: the distinct answers, in order.
        errors: what it could not read.
    """

    polls: int
    answers: list[Any]
    errors: list[str]


class Reader:
    """A process that asks one question again and again, 20 ms apart, until the block ends.

    Args:
        url: the Postgres warehouse, or None.
        published: the published DuckDB file.
        sql: one statement.
        missing_is_fine: whether there may be nothing to read yet.
    """

    def __init__(self, tally: Tally, sql: str) -> None:
        self._here, there = CONTEXT.Pipe()
        path = tally.folder / ".leat" / "warehouse.duckdb"
        self._process = CONTEXT.Process(target=_read, args=(tally.warehouse_url, path, sql, there), daemon=True)
        self.seen = Seen(0, [], [])

    def __enter__(self) -> Reader:
        self._process.start()
        self._here.recv()  # it has looked once
        return self

    def __exit__(self, *_: object) -> None:
        self._here.send("enough")
        self.seen = self._here.recv()
        self._process.join()


def _read(url: str | None, path: Path, sql: str, pipe: Connection) -> None:
    polls, answers, errors = 0, [], []
    if url is not None and is_shared_lake(url):
        ask = _ask_shared_lake(url)
    else:
        ask = _ask_postgres(str(url)) if is_server(url) else _ask_lake(path) if url else _ask_duckdb(path)
    enough = False
    while not enough:
        enough = pipe.poll(POLL if polls else 0)  # then it looks once more
        polls += 1
        try:
            answer = ask(sql)
        except Exception as error:  # whatever a reader meets is told
            errors.append(f"{type(error).__name__}: {error}")
        else:
            if not answers or answers[-1] != answer:
                answers.append(answer)
        if polls == 1:
            pipe.send("looked")
    pipe.recv()
    pipe.send(Seen(polls, answers, errors))


def _ask_duckdb(path: Path) -> Callable[[str], Any]:
    """Return a function that reads the published file; while that is the same file, it gives the same answer."""
    import duckdb

    answers: dict[tuple[int, int, int], Any] = {}

    def ask(sql: str) -> Any:
        now = path.stat()
        version = (now.st_ino, now.st_mtime_ns, now.st_size)
        if version not in answers:
            with duckdb.connect(path, read_only=True, config={"threads": 1}) as connection:
                answers[version] = connection.execute(sql).fetchall()
        return answers[version]

    return ask


def _ask_lake(path: Path) -> Callable[[str], Any]:
    """Return a function that reads the published catalog, and opens it again when there is another one.

    As the documentation says, a query fails that is at a version whose files are removed at once, and is repeated.
    """
    from leat.warehouse.duckdb.writer import in_memory
    from leat.warehouse.ducklake.catalog import LakeCatalog

    form = LakeCatalog(path.parent, timedelta(days=1))
    opened: dict[tuple[int, int], Any] = {}

    def version() -> tuple[int, int]:
        status = (path.parent / form.published).stat()
        return status.st_ino, status.st_mtime_ns

    def ask(sql: str) -> Any:
        now = version()
        try:
            if now not in opened:
                connection = in_memory()
                connection.execute("SET threads = 1")
                form.attach(connection, path.parent / form.published, "warehouse", read_only=True)
                connection.execute("USE warehouse")
                opened.clear()
                opened[now] = connection
            return opened[now].execute(sql).fetchall()
        except Exception:
            if version() == now:
                raise
            return ask(sql)

    return ask


def _ask_shared_lake(url: str) -> Callable[[str], Any]:
    """Return a function that reads the lake, by one connection that sees each commit."""
    from leat.warehouse.ducklake.attach import SharedCatalog

    connection = SharedCatalog(*read_lake_url(url, "the URL")).connect(read_only=True)
    connection.execute("SET threads = 1")
    return lambda sql: connection.execute(sql).fetchall()


def _ask_postgres(url: str) -> Callable[[str], Any]:
    import psycopg2

    connection = psycopg2.connect(url)
    connection.autocommit = True

    def ask(sql: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    return ask


def wait_until(condition: Callable[[], bool], seconds: float = 60, every: float = 0.01) -> None:
    """Poll a condition every so many seconds; fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(every)
