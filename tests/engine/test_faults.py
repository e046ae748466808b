"""Disks that are full, servers that go away, files that are broken, drivers that do wrong: what a user reads."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy

from leat.demo.servers.process import Process
from leat.pipelines.load.engine import Request
from leat.pipelines.load.event_log import EVENTS, landed_stream
from leat.pipelines.load.landing import landed_loads
from leat.pipelines.load.results import IntegrationResult
from leat.pipelines.load.run import run_integration
from leat.sources.driver import add_sources
from tests.kit.child import Point, run_to_end
from tests.kit.project import Tally, delete, full_scan, labels, row, rows
from tests.kit.proxy import Proxy, proxy
from tests.servers.postgres import postgres_url as url_of
from tests.servers.postgres import start_postgres, stop_postgres

FULL = [Point("disk", phase, size) for phase, size in (
    ("extracting", 0), ("extracting", 4096), ("extracted", 0), ("extracted", 4096), ("normalized", 0),
    ("normalized", 4096),
)]  # fmt: skip
"""While the landing is written: on DuckDB alone, for no engine has a part in it."""
FULL_FILE = [Point("disk", phase, 4096) for phase in ("applying", "checking", "committing", "applied", "publishing")]
FULL_FILE += [Point("full", "CHECKPOINT"), Point("full", 'INSERT INTO "tally"."fed"')]


# Disk full


def test_a_full_disk_after_landing(tally: Tally) -> None:
    full(tally, Point("disk", "landed", 0))


@pytest.mark.parametrize("point", [*FULL, *FULL_FILE], ids=str)
def test_a_full_disk_while_files_are_written(tmp_path: Path, point: Point) -> None:
    full(Tally(tmp_path), point)


def full(tally: Tally, point: Point) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", *(row(i, "old") for i in range(100))))
    assert tally.run().status == "loaded"
    tally.then(delete("fed", shelf="a"), rows("fed", *(row(i, "new" * 100) for i in range(2000))))
    result = run_to_end(tally, point)
    assert result is not None
    assert result["status"] == "failed"
    assert "File too large" in result["error"]
    assert "Next: free disk space" in result["error"]
    assert set(labels(tally, "fed").values()) == {"old"}, "readers keep the old version"
    assert not (tally.project.state / "warehouse.draft").exists()
    fixed = tally.run()
    assert fixed.status in ("loaded", "nothing_new")
    assert len(labels(tally, "fed")) == 2000
    assert list((tally.project.state / "landing" / "tally").iterdir()) == []


# Postgres goes away


@pytest.fixture
def cut(tmp_path: Path, postgres_url: str) -> Iterator[tuple[Tally, Proxy]]:
    """Give a loaded project whose Postgres is reached by way of a proxy."""
    url = sqlalchemy.make_url(postgres_url)
    assert url.port is not None
    with proxy(url.port) as running:
        through = url.set(port=running.port).render_as_string(hide_password=False)
        tally = Tally(tmp_path, through)
        tally.declare("{fed: {history: true}}")
        tally.then(rows("fed", *(row(i, "old") for i in range(100))))
        assert tally.run().status == "loaded"
        yield tally, running


@pytest.mark.parametrize("after", [0, 1_000, 3_000, 6_000, 9_000, 12_000, 15_000])
def test_a_connection_that_is_cut_after_so_many_bytes(cut: tuple[Tally, Proxy], after: int) -> None:
    tally, running = cut
    tally.then(rows("fed", *(row(i, "new") for i in range(100))), rows("kept", *(row(i, "new") for i in range(100))))
    running.left = after
    wording_fits(tally, tally.run())
    running.left = None
    assert set(labels(tally, "fed").values()) == {"old"}
    assert tally.query("SELECT count(*) FROM tally.kept") == [(0,)]
    assert tally.run().status == "loaded"
    assert set(labels(tally, "fed").values()) == set(labels(tally, "kept").values()) == {"new"}


@pytest.mark.parametrize("phase", ["started", "landed", "applying", "checking", "committing"])
def test_the_server_ends_the_connections(tmp_path: Path, postgres_url: str, phase: str) -> None:
    tally = Tally(tmp_path, postgres_url)
    tally.declare()
    tally.then(rows("fed", row(1, "old")))
    tally.run()
    tally.then(rows("fed", row(1, "new")), rows("kept", row(1, "new")))
    engine = tally.engine(observe=lambda _name, now: terminate(postgres_url) if now == phase else None)
    result = run_integration(engine, "tally", Request())
    if phase in ("checking", "committing"):  # there the pool finds out and connects anew
        wording_fits(tally, result)
        assert labels(tally, "fed") == {("a", 1): "old"}
        assert labels(tally, "kept") == {}
    again = run_integration(tally.engine(warehouse=engine.warehouse), "tally", Request())
    assert again.status in ("loaded", "nothing_new"), "the same process goes on with new connections"
    assert labels(tally, "fed") == labels(tally, "kept") == {("a", 1): "new"}


def terminate(url: str) -> None:
    connection = psycopg2.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name = 'leat' AND datname = current_database()"
        )
    finally:
        connection.close()


def wording_fits(tally: Tally, result: IntegrationResult) -> None:
    assert (result.status, result.error_type) == ("failed", "Unreachable")
    assert result.error is not None
    assert "Next: check LEAT_WAREHOUSE" in result.error
    password = sqlalchemy.make_url(str(tally.warehouse_url)).password
    assert password
    assert password not in result.error


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Process]:
    folder = tmp_path / "postgres"
    process = start_postgres(folder, fsync=False)
    try:
        yield process
    finally:
        stop_postgres(process)


def test_the_server_is_down_and_comes_back(tmp_path: Path, own_postgres: Process, caplog: Any) -> None:
    tally = Tally(tmp_path, url_of(own_postgres))
    tally.declare()
    tally.then(rows("fed", row(1, "old")))
    engine = tally.engine()
    assert run_integration(engine, "tally", Request()).status == "loaded"
    stop_postgres(own_postgres)
    result = run_integration(engine, "tally", Request())
    wording_fits(tally, result)
    assert "refused" in str(result.error)
    password = str(sqlalchemy.make_url(str(tally.warehouse_url)).password)
    assert password not in caplog.text
    back = start_postgres(own_postgres.log.parent, own_postgres.port, fsync=False)
    try:
        tally.then(rows("fed", row(1, "new")))
        assert run_integration(engine, "tally", Request()).status == "loaded"
        assert labels(tally, "fed") == {("a", 1): "new"}
    finally:
        stop_postgres(back)


# A landing that is broken


def land_only(tally: Tally) -> Path:
    """Leave a complete landing that was not applied."""
    assert run_to_end(tally, Point("observe", "landed")) is None
    (landed,) = landed_loads(tally.project.state / "landing" / "tally")
    return landed.folder


@pytest.mark.parametrize("table", [landed_stream("fed"), EVENTS])
@pytest.mark.parametrize("content", [b"", b"PAR1 broken PAR1"], ids=["empty", "garbage"])
def test_a_broken_file_in_a_landing_is_extracted_again(tally: Tally, table: str, content: bytes) -> None:
    tally.then(rows("fed", row(1, "one")))
    tally.run()
    tally.then(rows("fed", row(1, "new")), full_scan("scanned"))
    (file,) = (land_only(tally) / "data" / "data" / table).glob("*.parquet")
    file.write_bytes(content)
    broken = tally.run()
    assert broken.status == "failed"
    assert broken.error is not None
    assert "Next:" in broken.error
    assert labels(tally, "fed") == {("a", 1): "one"}
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "new"}


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"plan": {}}'])
def test_a_broken_plan_is_extracted_again(tally: Tally, content: str) -> None:
    tally.then(rows("fed", row(1, "one")))
    (land_only(tally) / "plan.json").write_text(content)
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "one"}


def test_a_landing_that_another_run_has_overtaken_is_not_applied(tally: Tally, tmp_path: Path) -> None:
    tally.then(rows("fed", row(1, "one")), rows("kept", row(1, "one")))
    tally.run()
    tally.then(rows("fed", row(1, "two")))
    folder = land_only(tally)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder, elsewhere)
    tally.then(rows("fed", row(1, "three")))
    assert tally.run().status == "loaded"
    shutil.move(elsewhere, folder)
    assert tally.run().status == "nothing_new"
    assert labels(tally, "fed") == {("a", 1): "three"}
    assert list(folder.parent.iterdir()) == []


# A driver that fails or does wrong

DRIVER = '''
"""A source of one test."""
import pyarrow as pa
from pathlib import Path
from leat.sources.driver import ConnectionModel
from leat.sources.errors import *
from leat.sources.events import *
from leat.project_sources.tally.streams import FED


class Connection(ConnectionModel):
    pass


def setup_tests(connection, sync):
    yield from ()


def table(**columns):
    return pa.table({name: pa.array([None], type=field.type) for name, field in zip(FED.schema().names, FED.schema())}
                    | {"shelf": ["a"], "id": [1]} | columns)


def calls(sync):
    with (sync.project / "calls").open("a") as file:
        file.write("x")
    return len((sync.project / "calls").read_text())


def extract(connection, sync):
    call = calls(sync)
    yield Rows("fed", table())
'''


@pytest.fixture
def driven(tally: Tally, request: pytest.FixtureRequest) -> Any:
    """Give a function that runs a driver of given lines, in a source folder of the project's own."""
    name = f"own_{abs(hash(request.node.name))}"

    def run(lines: str, attempts: int = 1) -> IntegrationResult:
        folder = tally.folder / "sources" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text('"""A source."""\n')
        (folder / "streams.py").write_text("from leat.project_sources.tally.streams import *\n")
        (folder / "own.py").write_text(DRIVER + textwrap.indent(textwrap.dedent(lines), "    "))
        add_sources(folder.parent)
        (tally.folder / "pipelines" / "tally.yaml").write_text(f"source: {name}\ndriver: own\n")
        return tally.run(attempts=attempts)

    return run


def calls(tally: Tally) -> int:
    return len((tally.folder / "calls").read_text())


ERROR = '("tally", "asking", "no", "wait"'


def test_a_landing_whose_rows_are_half_removed_is_not_applied(tally: Tally, driven: Any) -> None:
    """A load that changes nothing is not recorded; killed while it is removed, it must not count as a listing."""
    assert driven('yield Rows("scanned", table())').status == "loaded"
    before = tally.query("SELECT * FROM tally.scanned")
    assert run_to_end(tally, Point("audit", r"shutil.rmtree /landing/tally/\w+$")) is None
    (folder,) = (tally.project.state / "landing" / "tally").iterdir()
    shutil.rmtree(folder / "data" / "data" / landed_stream("scanned"))  # as far as it might have come
    assert tally.run().status == "nothing_new"
    assert tally.query("SELECT * FROM tally.scanned") == before
    assert list((tally.project.state / "landing" / "tally").iterdir()) == []


def test_a_transient_error_is_tried_again(tally: Tally, driven: Any) -> None:
    result = driven(f"if call < 3: raise RateLimited{ERROR}, retry_after=0.01)", attempts=3)
    assert (result.status, calls(tally)) == ("loaded", 3)
    assert len(labels(tally, "fed")) == 1


def test_a_transient_error_is_reported_when_attempts_end(tally: Tally, driven: Any) -> None:
    result = driven(f"raise RateLimited{ERROR}, retry_after=0.01)", attempts=2)
    assert (result.status, result.error_type, result.transient, calls(tally)) == ("failed", "RateLimited", True, 2)
    assert (result.error, result.retry_after) == ("tally: asking: no. Next: wait", 0.01)


def test_a_long_retry_after_is_left_to_the_schedule(tally: Tally, driven: Any) -> None:
    result = driven(f"raise RateLimited{ERROR}, retry_after=3600)", attempts=3)
    assert (result.status, result.retry_after, calls(tally)) == ("failed", 3600, 1)


def test_a_permanent_error_stops_at_once(tally: Tally, driven: Any) -> None:
    result = driven(f"raise Forbidden{ERROR})", attempts=3)
    assert (result.status, result.error_type, result.transient, calls(tally)) == ("failed", "Forbidden", False, 1)
    assert result.error == "tally: asking: no. Next: wait"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('yield Rows("fed", table().drop_columns(["label"]))', r"rows of fed lack the columns \['label'\]"),
        ('yield Rows("fed", table(id=["one"]))', "rows of fed are not in its schema"),
        ('yield Delete("fed", {"colour": 1})', r"a Delete of fed names \['colour'\]"),
        ('yield Delete("fed", {"id": None})', r"a Delete of fed names \['id'\]"),
        ('yield Delete("fed", {})', "a Delete of fed names no column"),
        ('yield FullScan("scanned", {"colour": 1})', r"a FullScan of scanned names \['colour'\]"),
        ('yield FullScan("fed")', "claims a full scan of fed, whose deletes are feed"),
        ('yield {"id": 1}', "dict is no event"),
    ],
)
def test_a_driver_that_breaks_the_contract(tally: Tally, driven: Any, lines: str, message: str) -> None:
    cursor = 'yield Cursor({"n": 1})\n'  # the complete extraction would replace a driver's claims
    result = driven(cursor + (f"if call > 1: {lines}" if "whose" in message else lines), attempts=3)
    if "whose" in message:
        assert result.status == "loaded"
        result = tally.run()
    assert (result.status, result.error_type) == ("failed", "BrokenContract")
    assert result.error is not None
    assert "Next: report this" in result.error
    assert re.search(message, result.error), result.error


VALUE = "secret"
OTHERS = {
    "ArrowInvalid": "__import__('pyarrow').array(['se' + 'cret']).cast('int64')",
    "KeyError": "{}['se' + 'cret']",
    "Rejected": "try: {}['se' + 'cret']\nexcept KeyError as error:\n    raise Rejected"
    + '("tally", "asking", "no", "wait") from error',
}


@pytest.mark.parametrize("kind", OTHERS)
def test_an_error_of_another_library_is_shown_without_what_it_quotes(
    tally: Tally, driven: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = driven(OTHERS[kind])
    assert (result.status, result.error_type) == ("failed", kind)
    assert result.error is not None
    assert VALUE not in result.error
    if kind != "Rejected":
        assert re.match(
            rf"tally: {kind} in leat\.project_sources\.own_\d+\.own, line \d+\. Next: see the log", result.error
        )
    assert VALUE not in caplog.text
    assert "Traceback" in caplog.text
    assert f"{'KeyError' if kind == 'Rejected' else kind} in leat.project_sources" in caplog.text


def test_an_error_of_the_network_is_no_full_disk(tally: Tally, driven: Any) -> None:
    result = driven("raise ConnectionRefusedError(111, 'Connection refused')")
    assert result.error is not None
    assert "disk" not in result.error


def test_an_interrupt_leaves_nothing_behind(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")))

    def interrupt(_name: str, phase: str) -> None:
        if phase == "normalized":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tally.run(observe=interrupt)
    assert list((tally.project.state / "landing" / "tally").iterdir()) == []
    assert tally.run().status == "loaded"
