"""What only a DuckLake warehouse has: files that stay for readers, housekeeping; the rest is as on DuckDB."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.encryption import FileEncryption
from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
from leat.warehouse.duckdb.wheels import extension_path
from leat.warehouse.session import Busy, Warehouse, WarehouseError
from leat.warehouse.url import retained


@pytest.fixture
def lake(tmp_path: Path) -> Warehouse:
    """Give a lake with a table of 1,000 rows, published."""
    warehouse = open_warehouse("ducklake", tmp_path)
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA shop")
        session.execute("CREATE TABLE shop.orders AS SELECT i AS id, 'secret' || i AS name FROM range(1000) AS r(i)")
    publish(warehouse)
    return warehouse


def publish(warehouse: Warehouse) -> None:
    assert warehouse.publication is not None
    warehouse.publication.publish()
    assert warehouse.publication.is_current()


def change(warehouse: Warehouse, name: str) -> None:
    with warehouse.transaction() as session:
        session.execute("DELETE FROM shop.orders WHERE id >= 500")
        session.execute(f"INSERT INTO shop.orders SELECT i, '{name}' || i FROM range(500, 1000) AS r(i)")


def files(state: Path) -> set[str]:
    return {path.name for path in (state / "lake" / "data").rglob("*.parquet")}


def make_old(state: Path, hours: int) -> None:
    """Let everything that has been written seem to be older."""
    with sqlite3.connect(state / "lake" / "catalog.sqlite") as catalog:
        catalog.execute(
            "UPDATE ducklake_snapshot SET snapshot_time = "
            f"strftime('%Y-%m-%d %H:%M:%S+00', datetime(substr(snapshot_time, 1, 19), '-{hours} hours'))"
        )
        catalog.execute(
            "UPDATE ducklake_files_scheduled_for_deletion SET schedule_start = "
            f"strftime('%Y-%m-%d %H:%M:%S+00', datetime(substr(schedule_start, 1, 19), '-{hours} hours'))"
        )
    catalog.close()
    for path in (state / "lake" / "tidied", *(state / "lake" / "data").rglob("*.parquet")):
        moved = path.stat().st_mtime - 3600 * hours
        os.utime(path, (moved, moved))


def test_a_reader_stays_on_its_version_and_the_next_one_sees_the_newest(lake: Warehouse) -> None:
    with lake.published() as reader:
        change(lake, "other")
        publish(lake)
        assert reader.execute("SELECT count(*) FROM shop.orders WHERE name LIKE 'secret%'") == [(1000,)]
        with lake.published() as next_one:
            assert next_one.execute("SELECT count(*) FROM shop.orders WHERE name LIKE 'secret%'") == [(500,)]


def test_old_files_stay_as_long_as_is_retained_and_then_go(lake: Warehouse, tmp_path: Path) -> None:
    first = files(tmp_path)
    change(lake, "second")
    publish(lake)
    make_old(tmp_path, 30)
    change(lake, "third")
    publish(lake)  # the versions of before are too old; their files go once this has been published for a day
    assert first <= files(tmp_path)
    with lake.published() as session:
        assert len(session.execute("SELECT * FROM ducklake_snapshots('warehouse')")) < 5
    for name in ("third", "fourth"):  # a version lets its files go, and then they are removed
        make_old(tmp_path, 30)
        change(lake, name)
        publish(lake)
    assert not first & files(tmp_path)
    with lake.published() as session:
        assert session.execute("SELECT count(*), count(DISTINCT id) FROM shop.orders") == [(1000, 1000)]
        assert session.execute("SELECT count(*) FROM shop.orders WHERE name LIKE 'fourth%'") == [(500,)]


def test_what_is_to_be_forgotten_is_in_no_file(lake: Warehouse, tmp_path: Path) -> None:
    with lake.transaction() as session:  # few rows are rows of the catalog
        session.execute("INSERT INTO shop.orders VALUES (2000, 'hiddenword')")
        session.execute("DELETE FROM shop.orders WHERE id = 2000")
    publication = lake.publication
    assert publication is not None
    catalogs = [tmp_path / "lake.sqlite", tmp_path / "lake" / "catalog.sqlite"]
    publish(lake)
    assert any(b"hiddenword" in path.read_bytes() for path in catalogs)
    publication.rewrite_next()
    before = files(tmp_path)
    change(lake, "other")
    publish(lake)
    assert not before & files(tmp_path)
    assert not any(b"hiddenword" in path.read_bytes() for path in catalogs)
    with lake.published() as session:
        assert session.execute("SELECT count(*) FROM shop.orders WHERE name LIKE 'secret%'") == [(500,)]


_WRITES = """
import sys
from pathlib import Path
from leat.warehouse.connect import open_warehouse
with open_warehouse("ducklake", Path(sys.argv[1])).transaction() as session:
    session.execute("DELETE FROM shop.orders WHERE id = 1")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_in_words(lake: Warehouse, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITES, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(Busy, match="the warehouse is locked by another process; retry later"), lake.at_rest(0):
            pass
        with lake.query("SELECT count(*) FROM shop.orders") as answer:
            assert list(answer.rows) == [(1000,)]
        other.stdin.close()
    assert other.returncode == 0
    with lake.snapshot() as session:
        assert session.execute("SELECT count(*) FROM shop.orders") == [(999,)]


_LOCKS = """
import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("BEGIN EXCLUSIVE")
print("writing", flush=True)
sys.stdin.read()
"""


def test_a_program_that_writes_the_catalog_is_named(lake: Warehouse, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LOCKS, str(tmp_path / "lake" / "catalog.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(WarehouseError) as refused, lake.transaction() as session:
            session.execute("DELETE FROM shop.orders")
        other.stdin.close()
    assert "database is locked" not in str(refused.value)
    assert "catalog.sqlite. Next: end it, for leat alone writes this file" in str(refused.value)


def test_the_command_line_of_duckdb_reads_it_with_its_versions(lake: Warehouse, tmp_path: Path) -> None:
    program, command = lake.client
    assert (program, str(tmp_path / "lake.sqlite") in command) == ("DuckDB CLI", True)
    attach = command[command.index("ATTACH") : command.rindex('"')]
    change(lake, "other")
    publish(lake)
    loads = "; ".join(f"LOAD '{extension_path(name, 'ducklake')}'" for name in ("ducklake", "sqlite_scanner"))
    count = "SELECT count(*) FROM shop.orders"
    asked = f"{loads}; {attach}; {count}; {count} AT (VERSION => 1) WHERE name LIKE 'secret%'; DELETE FROM shop.orders"
    duckdb = Path(sys.executable).with_name("duckdb")
    done = subprocess.run([duckdb, "-csv", "-noheader", "-c", asked], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1000", "1000"]
    assert "read-only" in done.stderr


def test_a_reader_of_leat_query_reads_nothing_else(lake: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "private.csv").write_text("a\n1\n")
    for asked in (f"FROM '{tmp_path}/private.csv'", f"FROM read_text('{tmp_path}/lake/catalog.sqlite')"):
        with pytest.raises(WarehouseError, match="Permission Error"), lake.query(asked) as answer:
            list(answer.rows)


def test_what_a_lake_can_not_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="a DuckLake warehouse has no encrypted files"):
        open_warehouse("ducklake", tmp_path, FileEncryption(wanted=True, keys=lambda: ["0" * 64]))
    for wrong in ("ducklake:mysql://host/db", "ducklake?retain=1", "ducklakes"):
        with pytest.raises(WarehouseError, match="write ducklake, for a lake in the state folder"):
            open_warehouse(wrong, tmp_path)
    assert retained("ducklake?retain=P7D") == timedelta(days=7)
    assert retained("ducklake?retain=PT12H") == timedelta(hours=12)
    assert isinstance(open_warehouse(None, tmp_path), DuckDBWarehouse)
