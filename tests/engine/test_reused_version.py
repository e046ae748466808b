"""The version before last becomes the next one, unless somebody still has it open: no reader sees a file change."""

from __future__ import annotations

import mmap
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.encryption import FileEncryption
from leat.warehouse.duckdb.reuse import file_system, reuse_file
from leat.warehouse.publication import publish_version, rewrite_next_version
from leat.warehouse.session import Warehouse
from tests.kit.child import CONTEXT, HALF_A_COPY, Point, Reader, _arm
from tests.kit.command import ROOT
from tests.kit.examples import examples, number_of
from tests.kit.project import Tally

ROWS = 60_000
VERSION = "SELECT min(version), max(version), count(*), sum(amount) FROM shop.sales"
KEYS = ("ab" * 32,)


def opened(state: Path, *, encrypted: bool = False) -> Warehouse:
    return open_warehouse(None, state, FileEncryption(encrypted, lambda: KEYS))


def load(warehouse: Warehouse, version: int) -> None:
    """Change some rows, and in one small table all."""
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS shop")
        session.execute(
            f"CREATE TABLE IF NOT EXISTS shop.noise AS SELECT id, md5(id::VARCHAR) AS t FROM range({ROWS}) AS r (id)"
        )
        session.execute("CREATE TABLE IF NOT EXISTS shop.sales (id INTEGER, version INTEGER, amount INTEGER)")
        session.execute("DELETE FROM shop.sales")
        session.execute(
            f"INSERT INTO shop.sales SELECT id, {version}, {version} FROM range({1000 + version}) AS r (id)"
        )
        session.execute(f"UPDATE shop.noise SET t = 'version {version}' WHERE id = {version * 7 % ROWS}")


def expected(version: int) -> tuple[int, ...]:
    return version, version, 1000 + version, version * (1000 + version)


def publish(warehouse: Warehouse, version: int) -> None:
    load(warehouse, version)
    assert publish_version(warehouse)


def seen(warehouse: Warehouse) -> tuple[int, ...]:
    with warehouse.published() as session:
        (row,) = session.execute(VERSION)
    warehouse.close()
    return tuple(row)


@pytest.fixture(params=[False, True], ids=["in clear", "encrypted"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """Return a warehouse with two published versions, so that the first one can be reused."""
    warehouse = opened(tmp_path / "state", encrypted=request.param)
    publish(warehouse, 1)
    publish(warehouse, 2)
    yield warehouse
    warehouse.close()


def published(tmp_path: Path) -> Path:
    return tmp_path / "state" / "warehouse.duckdb"


def same_as_written(tmp_path: Path) -> bool:
    return published(tmp_path).read_bytes() == (tmp_path / "state" / "writer" / "warehouse.duckdb").read_bytes()


def test_the_version_before_last_is_reused(tmp_path: Path, warehouse: Warehouse) -> None:
    assert file_system(tmp_path) in ("ext4", "tmpfs", "xfs"), "this test needs a file system with leases"
    spare = published(tmp_path).with_suffix(".spare")
    for version in range(3, 9):
        before = published(tmp_path).stat().st_ino
        reused = spare.stat().st_ino
        publish(warehouse, version)
        assert published(tmp_path).stat().st_ino == reused
        assert spare.stat().st_ino == before
        assert seen(warehouse) == expected(version)
        assert same_as_written(tmp_path)
        assert {path.stat().st_mode & 0o777 for path in (published(tmp_path), spare)} == {0o600}


def test_little_is_written(tmp_path: Path) -> None:
    source, spare, target = (tmp_path / name for name in ("source", "spare", "target"))
    content = random.Random(1).randbytes(20_000_000)  # noqa: S311
    spare.write_bytes(content)
    source.write_bytes(content[:10_000_000] + b"changed" + content[10_000_007:])
    before = _written()
    assert reuse_file(source, spare, target)
    assert _written() - before < 200_000
    assert target.read_bytes() == source.read_bytes()


def _written() -> int:
    """Return how many bytes this process has given to write(2) and its like."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


@pytest.mark.parametrize("way", ["descriptor", "mapping", "another process", "a query", "another name", "a copy of it"])
def test_a_version_that_somebody_reads_does_not_change(tmp_path: Path, warehouse: Warehouse, way: str) -> None:
    path = published(tmp_path)
    content, inode = path.read_bytes(), path.stat().st_ino
    if way == "a query":
        with warehouse.published() as session:
            for version in range(3, 7):
                publish(warehouse, version)
                assert tuple(session.execute(VERSION)[0]) == expected(2)
        assert seen(warehouse) == expected(6)
        return
    if way == "another name":
        other = tmp_path / "backup"
        other.hardlink_to(path)
        for version in range(3, 7):
            publish(warehouse, version)
        assert other.read_bytes() == content
        assert seen(warehouse) == expected(6)
        return
    if way == "another process":
        read = "import sys; f = open(sys.argv[1], 'rb'); print('open', flush=True); input(); print(f.read().hex())"
        argv = [sys.executable, "-c", read, str(path)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for version in range(3, 7):
                publish(warehouse, version)
            answer, _ = process.communicate("go on\n")
        assert bytes.fromhex(answer) == content
        return
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if way == "mapping" else None
        if mapped is not None:
            file.close()
        half = len(content) // 2
        first = mapped[:half] if mapped is not None else file.read(half)
        for version in range(3, 7):
            publish(warehouse, version)
            assert path.stat().st_ino != inode
        rest = mapped[half:] if mapped is not None else file.read()
    assert first + rest == content
    assert seen(warehouse) == expected(6)


KILLS = [
    Point("audit", "os.rename .spare"),
    Point("audit", "leat.copy .draft", 1),
    HALF_A_COPY,
    Point("audit", "os.utime .draft"),
    Point("audit", "os.remove .spare"),
    Point("audit", "os.link"),
    Point("audit", "os.rename .draft"),
]


@pytest.mark.parametrize("point", KILLS, ids=str)
def test_a_killed_publication_leaves_the_published_version_and_is_repeated(
    tmp_path: Path, warehouse: Warehouse, point: Point
) -> None:
    encrypted = warehouse.encrypted
    with published(tmp_path).open("rb") as file:
        content = published(tmp_path).read_bytes()
        load(warehouse, 3)
        process = CONTEXT.Process(target=_publish, args=(tmp_path / "state", encrypted, point))
        process.start()
        process.join()
        assert process.exitcode == -9, "the point was never reached"
        assert seen(warehouse) == expected(2)
        for version in range(4, 8):
            publish(warehouse, version)
            assert seen(warehouse) == expected(version)
            assert same_as_written(tmp_path)
        assert file.read() == content


def _publish(state: Path, encrypted: bool, point: Point) -> None:
    _arm(point)
    publish_version(opened(state, encrypted=encrypted))


def test_readers_see_whole_versions_while_publications_are_killed(tmp_path: Path) -> None:
    """Another process opens the file by its path all the while, and a third one leaves it open for a while."""
    tally = Tally(tmp_path)
    state = tally.project.state
    publish(opened(state), 1)
    chance = random.Random(3)  # noqa: S311
    dead = 0
    slow = subprocess.Popen([sys.executable, "-c", SLOW, str(state / "warehouse.duckdb")], cwd=ROOT)
    try:
        with Reader(tally, VERSION) as reader:
            for version in range(2, 2 + number_of(0.3)):
                load(opened(state), version)
                point = chance.choice([*KILLS, None, None])
                process = CONTEXT.Process(target=_publish_or_die, args=(state, point))
                process.start()
                process.join()
                dead += process.exitcode == -9
            publish_version(opened(state))
            last = version
    finally:
        slow.terminate()
        slow.wait()
    assert dead
    assert reader.seen.errors == []
    answers = [tuple(answer[0]) for answer in reader.seen.answers]
    assert answers == sorted(set(answers))
    assert {expected(answer[0]) for answer in answers} == set(answers)
    assert answers[-1] == expected(last)


def _publish_or_die(state: Path, point: Point | None) -> None:
    if point is not None:
        _arm(point)
    publish_version(opened(state))


SLOW = """
import sys, time
while True:
    with open(sys.argv[1], "rb") as file:
        first = file.read()
        time.sleep(0.3)
        file.seek(0)
        if file.read() != first:
            sys.exit("the file changed")
"""


def test_what_is_to_be_forgotten_is_in_no_spare_file(tmp_path: Path) -> None:
    warehouse = opened(tmp_path / "state")
    for version in range(3):
        with warehouse.transaction() as session:
            session.execute(f"CREATE OR REPLACE TABLE secrets{version} AS SELECT 'forget-me-please' AS secret")
        publish_version(warehouse)
    spare = published(tmp_path).with_suffix(".spare")
    assert b"forget-me-please" in spare.read_bytes()
    rewrite_next_version(warehouse)
    with warehouse.transaction() as session:
        for version in range(3):
            session.execute(f"DROP TABLE secrets{version}")
    publish_version(warehouse)
    left = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not [path for path in left if b"forget-me-please" in path.read_bytes()]
    assert not spare.exists()


def test_encrypting_leaves_no_spare_file_in_clear(tmp_path: Path) -> None:
    for version in range(1, 4):
        with opened(tmp_path / "state").transaction() as session:
            session.execute(f"CREATE TABLE secret{version} AS SELECT 'in-clear-at-first' AS secret")
        publish(opened(tmp_path / "state"), version)
    spare = published(tmp_path).with_suffix(".spare")
    assert b"in-clear-at-first" in spare.read_bytes()
    for version in range(4, 8):
        publish(opened(tmp_path / "state", encrypted=True), version)
        left = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert not [path for path in left if b"in-clear-at-first" in path.read_bytes()]
    assert spare.exists()
    assert seen(opened(tmp_path / "state", encrypted=True)) == expected(7)


PARTS = st.lists(st.sampled_from([b"a" * 65536, b"b" * 65536, b"c" * 1000, b"d" * (1 << 20)]), max_size=6)


@given(old=PARTS, new=PARTS)
@examples(0.5)
def test_whatever_the_spare_file_has_it_gets_the_content(
    tmp_path_factory: pytest.TempPathFactory, old: list[bytes], new: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("reused")
    source, spare, target = (folder / name for name in ("source", "spare", "target"))
    spare.write_bytes(b"".join(old))
    source.write_bytes(b"".join(new))
    assert reuse_file(source, spare, target)
    assert target.read_bytes() == source.read_bytes()
    assert not spare.exists()


def test_nothing_is_reused_where_the_system_cannot_say_who_reads(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"new")
    assert not reuse_file(source, tmp_path / "missing", tmp_path / "target")
    linked = tmp_path / "linked"
    linked.symlink_to(source)
    assert not reuse_file(source, linked, tmp_path / "target")
    assert file_system(Path("/proc/self/status")) == "proc"
    assert file_system(Path(os.devnull)) not in ("ext4", "tmpfs")
    assert not (tmp_path / "target").exists()
