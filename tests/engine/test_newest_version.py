"""Snapshots of DuckDB: of the published file without a lock while it is the newest version, else of the writer's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from leat.warehouse.connect import open_warehouse
from leat.warehouse.locks import file_lock
from leat.warehouse.publication import is_published, publish_version
from leat.warehouse.session import Session, Warehouse

STATE = "state of the project"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / STATE


@pytest.fixture
def warehouse(state: Path) -> Iterator[Warehouse]:
    warehouse = open_warehouse(None, state)
    write(warehouse, 1)
    publish_version(warehouse)
    yield warehouse
    warehouse.close()


def write(warehouse: Warehouse, number: int) -> None:
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS leat")
        session.execute("DROP TABLE IF EXISTS leat.version")
        session.execute(f"CREATE TABLE leat.version AS SELECT {number} AS number")


def number(session: Session) -> int:
    ((rows,),) = session.execute("SELECT number FROM leat.version")
    return int(rows)


def seen(warehouse: Warehouse) -> int:
    with warehouse.snapshot() as session:
        return number(session)


@contextmanager
def written_by_another(state: Path) -> Iterator[None]:
    with file_lock(state / "writer" / "lock", 0, "the warehouse"):
        yield


def opened(state: Path) -> list[str]:
    """Return the files of the warehouse that this process has open."""
    targets = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [target.name for target in targets if STATE in target.parts]


def test_a_snapshot_waits_for_no_writer_while_everything_is_published(state: Path, warehouse: Warehouse) -> None:
    with written_by_another(state):
        assert seen(warehouse) == 1
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(seen, [warehouse] * 20)) == [1] * 20
        assert opened(state).count("warehouse.duckdb") == 1


def test_a_snapshot_sees_what_was_written_and_is_not_published(state: Path, warehouse: Warehouse) -> None:
    assert seen(warehouse) == 1
    for version in range(2, 5):
        write(open_warehouse(None, state), version)  # as another process does
        assert seen(warehouse) == version
        assert opened(state) == []
        assert publish_version(warehouse)
        assert seen(warehouse) == version


def test_a_write_that_changes_neither_size_nor_time_of_the_file_is_seen(state: Path, warehouse: Warehouse) -> None:
    published, written = state / "warehouse.duckdb", state / "writer" / "warehouse.duckdb"
    for version in range(2, 6):
        with open_warehouse(None, state).transaction() as session:
            session.execute(f"UPDATE leat.version SET number = {version}")
        before = published.stat()
        os.utime(written, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert written.stat().st_size == before.st_size
        assert seen(warehouse) == version
        assert not is_published(warehouse)
        assert publish_version(warehouse)
        assert seen(warehouse) == version


def test_a_snapshot_goes_on_seeing_one_version(state: Path, warehouse: Warehouse) -> None:
    with ExitStack() as stack:
        for version in range(1, 5):
            session = stack.enter_context(warehouse.snapshot())
            write(warehouse, version + 1)
            publish_version(warehouse)
            assert seen(warehouse) == version + 1
            assert number(session) == version


def test_what_a_killed_writer_left_in_its_log_is_seen(state: Path, warehouse: Warehouse) -> None:
    import duckdb

    assert seen(warehouse) == 1
    written = state / "writer" / "warehouse.duckdb"
    log = written.with_name("warehouse.duckdb.wal")
    with duckdb.connect(str(written)) as killed:
        killed.execute("PRAGMA disable_checkpoint_on_shutdown")
        killed.execute("UPDATE leat.version SET number = 2")
    assert log.exists()
    assert seen(warehouse) == 2
    assert not log.exists()


@pytest.mark.parametrize("damage", ["removed", "damaged behind its headers"])
def test_a_published_file_that_cannot_be_read_is_not_needed(state: Path, warehouse: Warehouse, damage: str) -> None:
    published, written = state / "warehouse.duckdb", (state / "writer" / "warehouse.duckdb").stat()
    published.unlink()
    if damage != "removed":
        content = bytearray((state / "writer" / "warehouse.duckdb").read_bytes())
        content[3 * 4096 :] = b"\0" * (len(content) - 3 * 4096)
        published.write_bytes(content)
        os.utime(published, ns=(written.st_atime_ns, written.st_mtime_ns))
        assert is_published(warehouse)
    assert seen(warehouse) == 1


def test_nothing_stays_open_after_close_and_it_can_be_read_again(state: Path, warehouse: Warehouse) -> None:
    assert seen(warehouse) == 1
    assert opened(state) == ["warehouse.duckdb"]
    with warehouse.snapshot() as session:
        warehouse.close()
        assert number(session) == 1, "the file is closed when its last reader ends"
    assert opened(state) == []
    assert seen(warehouse) == 1


def test_what_a_snapshot_spills_goes_to_the_state_folder(state: Path, warehouse: Warehouse) -> None:
    with warehouse.snapshot() as session:
        ((folder,),) = session.execute("SELECT current_setting('temp_directory')")
    assert Path(str(folder)) == state / "writer" / "tmp"


def test_a_snapshot_can_only_read(warehouse: Warehouse) -> None:
    with warehouse.snapshot() as session, pytest.raises(Exception, match="read-only"):
        session.execute("UPDATE leat.version SET number = 7")


def test_a_closed_warehouse_on_postgres_can_be_used_again(postgres_url: str) -> None:
    warehouse = open_warehouse(postgres_url, Path("unused"))
    write(warehouse, 1)
    warehouse.close()
    assert seen(warehouse) == 1
    warehouse.close()
