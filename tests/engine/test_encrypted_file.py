"""The encrypted DuckDB warehouse: its files, logs and spilled files, its keys, and who opens it how."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.run import run_integration
from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.encryption import FileEncryption, is_encrypted
from leat.warehouse.publication import is_published, publish_version
from leat.warehouse.session import Warehouse, WarehouseError
from tests.contract.evidence import written
from tests.kit.child import HALF_A_COPY, Point, run_to_end
from tests.kit.command import ROOT, tally_project, then
from tests.kit.personal_values import places, planted_rows
from tests.kit.project import Tally, row, rows

KEY, OTHER = "ab" * 32, "cd" * 32
CHANCE = random.Random(7)  # noqa: S311
LARGE = [row(1000 + i, CHANCE.randbytes(1000).hex()) for i in range(1000)]
"""Rows of some megabytes that can't be compressed much."""


@dataclass(frozen=True)
class Sealed(Tally):
    """A project whose warehouse is opened with keys; its files are to be encrypted or not."""

    keys: tuple[str, ...] = (KEY,)
    wanted: bool = True

    def opened(self) -> Warehouse:
        return open_warehouse(None, self.project.state, FileEncryption(self.wanted, lambda: self.keys))

    def engine(self, **changes: Any) -> Engine:
        return super().engine(**{"warehouse": self.opened(), **changes})

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.opened().published() as session:
            return session.execute(sql)

    def asked(self, sql: str) -> list[tuple[Any, ...]]:
        with self.opened().query(sql) as answer:
            return list(answer.rows)

    @property
    def files(self) -> list[Path]:
        return sorted(self.project.state.rglob("warehouse*.duckdb*"))


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    made = Sealed(tmp_path)
    made.declare("{fed: {history: true}}")
    return made


def of_warehouse(tally: Tally) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the warehouse: a load that wasn't applied yet lies elsewhere, and isn't encrypted."""
    yield from written(tally.project.state, [tally.project.state / "landing"])


def filled(tally: Tally) -> None:
    tally.then(rows("fed", *planted_rows()), rows("scanned", row(1, "one")))
    assert tally.run().status == "loaded"


def test_files_and_what_is_read_of_them(sealed: Sealed) -> None:
    filled(sealed)
    assert [is_encrypted(path) for path in sealed.files] == [True, True]
    assert places(of_warehouse(sealed)) == []
    count = [(len(planted_rows()),)]
    assert sealed.query("SELECT count(*) FROM tally.fed") == sealed.asked("SELECT count(*) FROM tally.fed") == count
    with sealed.opened().snapshot() as session:
        assert session.execute("SELECT count(*) FROM tally.fed_as_of(now())") == count
    sealed.then(rows("fed", row(500, "later")))
    assert sealed.run().status == "loaded"
    assert sealed.run().status == "nothing_new"
    assert is_published(sealed.opened())


@pytest.mark.parametrize("point", [Point("sql", "CHECKPOINT"), Point("observe", "committing"), HALF_A_COPY], ids=str)
def test_a_killed_writer_leaves_nothing_in_clear(sealed: Sealed, point: Point) -> None:
    sealed.then(rows("fed", row(500, "first")))
    assert sealed.run().status == "loaded"
    sealed.then(rows("fed", *planted_rows(), *LARGE))
    assert run_to_end(sealed, point) is None
    left = {path.name for path in sealed.project.state.rglob("warehouse*")}
    assert {"CHECKPOINT": "warehouse.duckdb.wal", "leat.copy .draft": "warehouse.draft"}.get(point.what) in (
        None,
        *left,
    )
    assert places(of_warehouse(sealed)) == []
    sealed.run()
    assert sealed.query("SELECT count(*) FROM tally.fed") == [(len(planted_rows()) + len(LARGE) + 1,)]


SPILL = """
import os, signal, sys
from tests.kit.personal_values import needles
from pathlib import Path
from leat.warehouse.duckdb.encryption import PLAIN, FileEncryption
from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
encryption = FileEncryption(True, lambda: [sys.argv[2]]) if len(sys.argv) > 2 else PLAIN
with DuckDBWarehouse(Path(sys.argv[1]), "40MB", encryption).transaction() as session:
    session.execute("SET threads = 1")
    rows = "SELECT unnest(?::VARCHAR[]) || ' ' || i AS v, hash(i) AS h FROM range(3000) AS r(i)"
    session.execute(f"CREATE TEMP TABLE spilled AS {rows} ORDER BY h", (list(needles()),))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_has_spilled_is_encrypted(tmp_path: Path) -> None:
    for name, more in (("clear", []), ("sealed", [KEY])):
        state = tmp_path / name
        subprocess.run([sys.executable, "-c", SPILL, str(state), *more], cwd=ROOT, check=False)
        spilled = list(written(state / "writer" / "tmp"))
        assert sum(len(content) for _, content in spilled) > 1_000_000
        assert (len({place.split(": ", 1)[1] for place in places(spilled)}) >= 200) == (not more)
        assert not more or places(spilled) == []


def test_another_key_or_none_is_refused_clearly(sealed: Sealed) -> None:
    filled(sealed)
    for keys, said in (
        ((OTHER,), "encrypted with another key than LEAT_WAREHOUSE_ENCRYPTION gives"),
        ((), "is encrypted"),
    ):
        other = Sealed(sealed.folder, keys=keys)
        for use in (lambda it=other: it.query("SELECT 1"), lambda it=other: it.asked("SELECT 1")):
            with pytest.raises(WarehouseError, match=rf"{said}.*Next: ") as refused:
                use()
            assert not any(key in str(refused.value) for key in (KEY, OTHER))
        other.then(rows("fed", row(1, "changed")))
        assert said in str(run_integration(other.engine(), "tally", Request()).error)
    with pytest.raises(WarehouseError, match="Next: set LEAT_WAREHOUSE_ENCRYPTION"):
        Tally.query(sealed, "SELECT 1")


def test_turning_it_on_and_off_and_changing_keys_takes_a_publication(sealed: Sealed) -> None:
    clear = Sealed(sealed.folder, keys=(), wanted=False)
    filled(clear)
    assert places(of_warehouse(clear)), "the search would find it"
    count = [(len(planted_rows()),)]
    with sealed.opened().snapshot() as session:
        assert session.execute("SELECT count(*) FROM tally.fed_history") == count, "it is read before it is encrypted"
    steps = ((KEY,), True), ((OTHER, KEY), True), ((OTHER,), True), ((OTHER,), False), ((), False)
    for keys, wanted in steps:
        now = Sealed(sealed.folder, keys=keys, wanted=wanted)
        before = publish_version(now.opened())
        assert before == ((keys, wanted) not in (((OTHER,), True), ((), False))), (keys, wanted)
        assert not publish_version(now.opened())
        assert [is_encrypted(path) for path in now.files] == [wanted] * 2
        assert bool(places(of_warehouse(now))) == (not wanted)
        assert now.query("SELECT count(*) FROM tally.fed") == count
    with pytest.raises(WarehouseError, match="is encrypted"):
        publish_version(sealed.opened())
        Sealed(sealed.folder, keys=()).query("SELECT 1")


def test_a_rewriting_that_is_killed_is_done_again(sealed: Sealed) -> None:
    clear = Sealed(sealed.folder, keys=(), wanted=False)
    filled(clear)
    clear.then(rows("fed", *LARGE))
    clear.run()
    for point in (Point("sql", "COPY FROM"), Point("audit", r"os.rename warehouse\.fresh"), HALF_A_COPY):
        if is_encrypted(sealed.files[0]):
            publish_version(Sealed(sealed.folder, wanted=False).opened())
        assert run_to_end(sealed, point) is None, point
        assert run_to_end(sealed) is not None
        assert [is_encrypted(path) for path in sealed.files] == [True, True]
        assert sealed.query("SELECT count(*) FROM tally.fed") == [(len(planted_rows()) + len(LARGE),)]


PROBES = (
    "SELECT * FROM duckdb_databases()", "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_variables()",
    "SELECT * FROM duckdb_secrets()", "SELECT * FROM duckdb_logs", "SELECT current_query()",
    "EXPLAIN SELECT * FROM tally.fed",
    "SHOW ALL TABLES", "SELECT * FROM duckdb_extensions()", "SELECT getvariable('key')",
)  # fmt: skip


@pytest.mark.parametrize("sql", PROBES)
def test_a_query_cant_see_the_key(published: Sealed, sql: str) -> None:
    try:
        said = repr(published.asked(sql))
    except WarehouseError as error:
        said = str(error)
    assert KEY not in said


@pytest.mark.parametrize("sql", [
    "SELECT * FROM read_text('https://example.com/')", "SELECT getenv('HOME')", "SET force_mbedtls_unsafe = true",
    "COPY (SELECT 1) TO 's3://bucket/x'",
])  # fmt: skip
def test_the_extension_opens_no_way_out(published: Sealed, sql: str) -> None:
    with pytest.raises(WarehouseError):
        published.asked(sql)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    made = Sealed(tmp_path_factory.mktemp("published"))
    made.declare()
    filled(made)
    return made


def test_the_command_line_of_duckdb_opens_it(published: Sealed) -> None:
    attach = (
        f"ATTACH '{published.project.state}/warehouse.duckdb' AS warehouse (READ_ONLY, ENCRYPTION_KEY getenv('K'));"
    )
    program = [str(Path(sys.executable).with_name("duckdb")), "-csv", "-noheader"]
    for key, wanted in ((KEY, str(len(planted_rows()))), (OTHER, "Wrong encryption key")):
        given = f"{attach} SELECT count(*) FROM warehouse.tally.fed;"
        done = subprocess.run(program, input=given, env={"K": key}, capture_output=True, text=True, check=False)
        assert wanted in done.stdout + done.stderr
        assert key not in done.stdout + done.stderr


def test_leat_works_with_it_and_says_nothing_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    leat = tally_project(tmp_path, "{fed: {checks: [{unique: [id]}]}}", LEAT_WAREHOUSE_ENCRYPTION="file:key")
    then(leat, rows("fed", *planted_rows()))
    model = tmp_path / "assets" / "models" / "labels.sql"
    model.parent.mkdir(parents=True)
    model.write_text("/* ---\ndescription: Labels.\ncolumns: {label: A label.}\n--- */\nSELECT label FROM tally.fed\n")
    calls = [leat("run"), leat("query", "--format", "csv", "SELECT count(*) FROM analytics.labels"), leat("doctor"),
             leat("publish"), leat("status"), leat("docs", "--out", str(tmp_path / "site")), leat("check")]  # fmt: skip
    assert [call.returncode for call in calls] == [0] * len(calls), [call.stdout + call.stderr for call in calls]
    assert calls[1].stdout.split() == ["count_star()", str(len(planted_rows()))]
    assert "encrypted" in calls[2].stdout
    broken = leat("query", "SELECT 1", LEAT_WAREHOUSE_ENCRYPTION="env:NO_KEY", NO_KEY=OTHER)
    assert (broken.returncode, "another key than" in broken.stdout + broken.stderr) == (1, True), broken
    wrong = [leat("query", "SELECT 1", LEAT_WAREHOUSE_ENCRYPTION=given, SHORT="abc")
             for given in ("aes", "file:nowhere", "env:SHORT", "env:UNSET", "keys")]  # fmt: skip
    assert all("Next: " in call.stdout + call.stderr and call.returncode for call in wrong), wrong
    assert places(of_state(tmp_path)) == []
    said = b"".join((call.stdout + call.stderr).encode() for call in (*calls, broken, *wrong))
    assert not [place for place, content in [*of_state(tmp_path), ("said", said)] if KEY.encode() in content]


def of_state(folder: Path) -> list[tuple[str, bytes]]:
    return list(written(folder / ".leat", [folder / ".leat" / "landing"]))
