"""The files of roles on DuckDB: what is in them, when they are made, who may open them, and what a kill leaves."""

from __future__ import annotations

import grp
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.pipelines.load.engine import Request
from leat.runs import granting
from leat.warehouse.duckdb.encryption import is_encrypted
from leat.warehouse.session import WarehouseError
from tests.kit.command import Leat
from tests.kit.granted_world import World, new_column, nothing, removed_rows, retained
from tests.kit.project import row, rows

CLI = str(Path(sys.executable).with_name("duckdb"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, None)
    world.make()
    return world


class Statements:
    """The tables that are written into files of roles, while it is open.

    Attributes:
        folder: where files are made; what others may read there meanwhile is added to ``open``.
    """

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        self.folder: Path | None = None
        self.open: set[str] = set()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.seen is not None and event == "leat.statement":
            self.seen += re.findall(r'TABLE made\."(\w+)"\."(\w+)"', str(arguments[0]))
        if self.folder is not None and event == "leat.statement" and "DETACH made" in str(arguments[0]):
            self.open |= {each.name for each in self.folder.iterdir() if each.stat().st_mode & 0o007}

    def of(self, world: World, request: Request | None = None) -> list[str]:
        """Return the tables that a run writes."""
        self.seen = []
        world.run(request)
        seen, self.seen = self.seen, None
        return [".".join(each) for each in seen]


@pytest.fixture(scope="module")
def statements() -> Iterator[Statements]:
    yield Statements()


def test_only_what_has_changed_is_written_again(world: World, statements: Statements) -> None:
    before = {path.name: path.stat() for path in (world.folder / ".leat" / "clearance").iterdir()}
    assert statements.of(world) == []
    assert {path.name: path.stat() for path in (world.folder / ".leat" / "clearance").iterdir()} == before
    world.tally.then(rows("kept", row(40, "L40")))
    written = statements.of(world)
    assert {each for each in written if each.startswith(("tally.", "analytics."))} == {
        "tally.kept", "analytics.labels", "analytics.sizes",
    }  # fmt: skip
    policies = world.folder / "policies" / "access.yaml"
    policies.write_text(policies.read_text().replace("shelf = 'a'", "shelf = 'b'"))
    written = statements.of(world)
    assert "tally.fed" in written and "tally.kept" in written
    world.doors.check()


def test_nothing_is_left_of_what_a_role_may_not_read(world: World) -> None:
    secret = "Quite-a-secret-label-0001"
    world.tally.then(rows("kept", row(41, secret, shelf="a")), rows("fed", row(42, secret, shelf="b")))
    world.run()
    folder = world.folder / ".leat" / "clearance"
    assert secret.encode() in (folder / "operator.duckdb").read_bytes()
    assert secret.encode() not in (folder / "viewer.duckdb").read_bytes()
    policies = world.folder / "policies" / "access.yaml"
    policies.write_text(policies.read_text().replace("local_accounts:", FORBIDDEN + "local_accounts:"))
    world.run()
    for role in ("viewer", "analyst", "operator"):
        assert secret.encode() not in (folder / f"{role}.duckdb").read_bytes()


FORBIDDEN = "  - {forbid: query, up_to: operator, on: {tag: personal}}\n"
FORBIDDEN_AT_ALL = "  - {forbid: query, up_to: operator}\n"


def test_rows_that_retention_removed_are_gone(world: World) -> None:
    secret = "Quite-a-secret-label-0002"
    world.tally.then(rows("fed", row(2, secret, shelf="a", seen_at="2020-01-01T00:00:00+00:00")))
    world.run()
    operator = world.folder / ".leat" / "clearance" / "operator.duckdb"
    assert secret.encode() in operator.read_bytes()
    retained(world)
    world.run(Request(allow_deletes=True))
    assert secret.encode() not in operator.read_bytes()
    world.doors.check()


def test_groups_and_folders(world: World, statements: Statements) -> None:
    group = grp.getgrgid(os.getgid())
    policies = world.folder / "policies" / "access.yaml"
    declared = f"grants:\n  files: {{folder: given, groups: {{analyst: {group.gr_name}, admin: {group.gr_name}}}}}\n"
    policies.write_text(policies.read_text().replace("grants:\n", declared))
    with (
        pytest.raises(WarehouseError, match="since policies/ changed"),
        world.open().warehouse.query("SELECT 1", role="admin"),
    ):
        pass
    planned = granting.plan(world.open()).plan.statements
    assert [each for each in planned if "readable by the group" in each]
    statements.folder = world.folder / "given"
    world.grant()
    assert (statements.open, statements.folder.stat().st_mode & 0o005) == (set(), 0o005)
    statements.folder = None
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (world.folder / "given").iterdir()}
    assert modes == {
        "viewer.duckdb": 0o600, "analyst.duckdb": 0o640, "operator.duckdb": 0o600, "admin.duckdb": 0o640,
    }  # fmt: skip
    assert not list((world.folder / ".leat" / "clearance").iterdir())
    world.doors.check()
    policies.write_text(policies.read_text().replace(f"analyst: {group.gr_name}", "analyst: no-such-group"))
    with pytest.raises(WarehouseError, match="no group no-such-group"):
        world.grant()
    policies.write_text(
        policies.read_text()
        .replace("analyst: no-such-group, ", "")
        .replace("local_accounts:", FORBIDDEN_AT_ALL + "local_accounts:")
    )
    world.grant()
    assert [path.name for path in (world.folder / "given").iterdir()] == ["admin.duckdb"]
    with (
        pytest.raises(WarehouseError, match="may read no table"),
        world.open().warehouse.query("SELECT 1", role="viewer"),
    ):
        pass


@pytest.mark.parametrize(
    ("pattern", "nth"),
    [
        (r"TABLE made\.", 40),
        ("DETACH made", 2),
        (r"os.rename .*\.made/", 2),
        (r"os.rename .*clearance\.json", 1),
    ],
)
def test_killed_while_files_are_made(world: World, pattern: str, nth: int) -> None:
    new_column(world)
    removed_rows(world)
    assert world.run_killed(pattern, nth)
    for role in ("viewer", "analyst", "operator"):
        with world.doors.connect(role) as read:
            assert read("SELECT count(*) FROM tally.fed")
    nothing(world)
    world.run()
    assert world.doors.check() > 500
    assert not (world.folder / ".leat" / "clearance" / ".made").exists()


def test_files_of_an_encrypted_warehouse_are_encrypted(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    key = tmp_path_factory.mktemp("elsewhere") / "key"
    key.touch(mode=0o600)
    key.write_text("0b" * 32)
    leat = Leat(world.folder, {"LEAT_WAREHOUSE_ENCRYPTION": f"file:{key}"})
    assert leat("run").returncode == 0
    files = sorted((world.folder / ".leat" / "clearance").glob("*.duckdb"))
    assert len(files) == 3
    assert all(is_encrypted(path) for path in (*files, world.folder / ".leat" / "warehouse.duckdb"))
    counted = leat.json("query", "SELECT count(*) AS n FROM tally.fed", LEAT_USER="vera")
    assert counted["rows"] == [{"n": 2}]
    assert "encrypted" in _cli(world, "viewer", "SELECT 1").stderr


def test_the_command_line_of_duckdb_reads_what_the_role_may(world: World) -> None:
    for role, count in (("viewer", "2"), ("operator", "4")):
        assert _cli(world, role, "SELECT count(*) FROM tally.fed").stdout.strip() == count
    assert "not found in FROM clause" in _cli(world, "viewer", "SELECT weight FROM tally.fed").stderr
    assert "does not exist" in _cli(world, "analyst", "SELECT * FROM tally.scanned").stderr


def _cli(world: World, role: str, sql: str) -> subprocess.CompletedProcess[str]:
    argv = [CLI, "-readonly", "-csv", "-noheader", str(world.doors.file(role)), "-c", sql]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
