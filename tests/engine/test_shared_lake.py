"""What only a lake has that several machines write: a catalog in Postgres, files in an object store, and both at once.

Its loads, kills and fences are tested where those of the other warehouses are.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import psycopg2
import pytest

from leat.demo.servers.process import free_port, stop
from leat.runs.workspace import Workspace
from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.wheels import extension_path
from leat.warehouse.ducklake.shared import SharedLake
from leat.warehouse.ducklake.tidying import is_due
from leat.warehouse.session import Overlapped, Unreachable, Warehouse, WarehouseError
from leat.warehouse.url import read_lake_url
from tests.kit.engines import catalog_of, shared_lake
from tests.kit.project import Tally, labels, row, rows
from tests.servers.moto_server import start_moto

SECRET = "secret-of-the-store"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of an S3 server that has a bucket."""
    process = start_moto(tmp_path_factory.mktemp("moto"))
    endpoint = f"http://127.0.0.1:{process.port}"
    keys = {"aws_access_key_id": "leat", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="lake")
    yield endpoint
    stop(process.pid)


@pytest.fixture
def keys(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "leat")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)


@pytest.fixture
def url(postgres_url: str, tmp_path: Path) -> str:
    return shared_lake(postgres_url, tmp_path / "files")


@pytest.fixture
def lake(url: str, tmp_path: Path) -> Iterator[Warehouse]:
    """Give a lake with a table of 1,000 rows, as one machine sees it."""
    warehouse = open_warehouse(url, tmp_path / "one")
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA shop")
        session.execute("CREATE TABLE shop.orders AS SELECT i AS id, 'secret' || i AS name FROM range(1000) AS r(i)")
    yield warehouse
    warehouse.close()


def count(warehouse: Warehouse, where: str = "true") -> int:
    with warehouse.query(f"SELECT count(*) FROM shop.orders WHERE {where}") as answer:
        [(number,)] = list(answer.rows)
    return int(number)


def test_loads_go_to_an_object_store_and_no_key_or_password_is_anywhere(
    keys: None, store: str, postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    del keys
    tally = Tally(tmp_path, shared_lake(postgres_url, "s3://lake/office"))
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", *(row(n, f"row {n}") for n in range(100))))
    result = tally.run()
    assert (result.status, result.error) == ("loaded", None)
    assert len(labels(tally, "fed")) == 100
    client = boto3.client(
        "s3", endpoint_url=store, aws_access_key_id="leat", aws_secret_access_key=SECRET, region_name="us-east-1"
    )
    objects = client.list_objects_v2(Bucket="lake", Prefix="office/")["Contents"]
    assert any(each["Key"].endswith(".parquet") for each in objects)
    password = urlsplit(postgres_url).password
    assert password
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    written += [client.get_object(Bucket="lake", Key=each["Key"])["Body"].read() for each in objects]
    with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM public."{table}" AS t')
            written += [text.encode() for (text,) in cursor.fetchall()]
    connection.close()
    warehouse = open_warehouse(tally.warehouse_url, tally.project.state)
    for sql in ("FROM duckdb_secrets()", "FROM duckdb_databases()", "FROM duckdb_settings()"):
        with warehouse.query(sql) as answer:
            written.append(str(list(answer.rows)).encode())
    written.append(caplog.text.encode() + repr(warehouse).encode() + str(warehouse.client).encode())
    for secret in (SECRET, password):
        assert [each for each in written if secret.encode() in each] == []


@pytest.mark.parametrize(("part", "other", "said"), [
    (r":[^:@/]+@", ":another@", "password authentication failed"),
    (r"@127.0.0.1:\d+", "@127.0.0.1:9", "Connection refused"),
])  # fmt: skip
def test_a_reader_learns_why_the_catalog_did_not_open(
    lake: Warehouse, url: str, tmp_path: Path, part: str, other: str, said: str
) -> None:
    del lake
    warehouse = open_warehouse(re.sub(part, other, url, count=1), tmp_path / "reader")
    with pytest.raises(Unreachable, match=said) as raised, warehouse.query("SELECT 1"):
        pass
    assert "Next: check LEAT_WAREHOUSE" in str(raised.value)
    assert "another" not in str(raised.value)


def test_without_keys_or_with_a_store_that_is_away_the_error_says_so(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    warehouse = open_warehouse(shared_lake(postgres_url, "s3://lake/away"), tmp_path)
    with pytest.raises(WarehouseError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), warehouse.snapshot():
        pass
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "leat")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA shop")
    with pytest.raises(Unreachable, match="the store of its files") as away, warehouse.transaction() as session:
        session.execute("CREATE TABLE shop.orders AS SELECT i AS id FROM range(1000) AS r(i)")
    assert SECRET not in str(away.value)
    with warehouse.snapshot() as session:
        assert session.columns("shop", "orders") == {}


def test_a_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    port = free_port()
    away = f"ducklake:postgresql://leat:hidden-word@127.0.0.1:{port}/lake?data={tmp_path}/files"
    for use in ("snapshot", "published", "transaction"):
        warehouse = open_warehouse(away, tmp_path / "away")
        there = f"postgresql://127.0.0.1:{port}/lake: "
        with pytest.raises(Unreachable, match=there) as error, getattr(warehouse, use)():
            pass
        assert "hidden-word" not in str(error.value)


def test_two_machines_write_at_once_and_what_collides_is_alone_the_next_time(
    lake: Warehouse, url: str, tmp_path: Path
) -> None:
    other = open_warehouse(url, tmp_path / "two")
    with lake.exclusive("one") as one, other.exclusive("two") as two:
        with lake.transaction("one", lease=one) as first, other.transaction("two", lease=two) as second:
            first.execute("CREATE SCHEMA one")
            second.execute("CREATE SCHEMA two")
        with pytest.raises(Overlapped, match="was in the way"):  # noqa: SIM117 - the inner one commits first
            with lake.transaction("one", lease=one) as first:
                first.execute("DELETE FROM shop.orders WHERE id = 1")
                with other.transaction("two", lease=two) as second:
                    second.execute("DELETE FROM shop.orders WHERE id = 1")
        ended = threading.Event()

        def write() -> None:
            with other.transaction("two", lease=two) as second:
                second.execute("DELETE FROM shop.orders WHERE id = 3")
            ended.set()

        with lake.transaction("one", lease=one) as first:
            writing = threading.Thread(target=write)
            writing.start()
            first.execute("DELETE FROM shop.orders WHERE id = 2")
            assert not ended.wait(0.2)
        writing.join()
    assert count(other) == 997
    other.close()


def test_loads_of_several_machines_lose_nothing_and_no_reader_sees_a_half(postgres_url: str, tmp_path: Path) -> None:
    """Each load replaces the rows of its integration in two tables, and a row in a table that all of them write."""
    url = shared_lake(postgres_url, tmp_path / "files")
    names = ("red", "green", "blue")
    with open_warehouse(url, tmp_path / "reader").transaction() as session:
        session.execute("CREATE SCHEMA leat")
        session.execute("CREATE TABLE leat.position (name VARCHAR, number BIGINT)")
        for name in names:
            session.execute(f"CREATE SCHEMA {name}")
            session.execute(f"CREATE TABLE {name}.a AS SELECT 0::BIGINT AS number")
            session.execute(f"CREATE TABLE {name}.b AS SELECT 0::BIGINT AS number")
            session.execute("INSERT INTO leat.position VALUES (?, 0)", (name,))
    loads, failures = 6, list[BaseException]()

    def work(name: str) -> None:
        warehouse = open_warehouse(url, tmp_path / name)
        try:
            for number in range(1, loads + 1):
                load(warehouse, name, number)
        except BaseException as error:
            failures.append(error)
        warehouse.close()

    workers = [threading.Thread(target=work, args=(name,)) for name in names]
    for worker in workers:
        worker.start()
    reader = open_warehouse(url, tmp_path / "reader")
    seen = {name: [0] for name in names}
    while any(worker.is_alive() for worker in workers):
        with reader.published() as session:
            for name in names:
                [(number, same)] = session.execute(
                    "SELECT max(p.number), bool_and(p.number = a.number AND a.number = b.number) "
                    f"FROM leat.position AS p, {name}.a AS a, {name}.b AS b WHERE p.name = '{name}'"
                )
                assert same, "half of a load is visible"
                seen[name].append(number)
    for worker in workers:
        worker.join()
    assert failures == []
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    with reader.published() as session:
        assert sorted(session.execute("SELECT * FROM leat.position")) == sorted((name, loads) for name in names)
    reader.close()


def load(warehouse: Warehouse, name: str, number: int) -> None:
    while True:
        try:
            with warehouse.exclusive(name) as lease, warehouse.transaction(name, lease=lease) as session:
                for table in ("a", "b"):
                    session.execute(f"DELETE FROM {name}.{table}")
                    session.execute(f"INSERT INTO {name}.{table} VALUES ({number})")
                session.execute("DELETE FROM leat.position WHERE name = ?", (name,))
                session.execute("INSERT INTO leat.position VALUES (?, ?)", (name, number))
        except Overlapped:
            continue
        return


def test_a_reader_reaches_neither_the_catalogs_database_nor_files(lake: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "private.csv").write_text("a\n1\n")
    for sql in (
        "SELECT * FROM postgres_query('__ducklake_metadata_warehouse', 'SELECT 1')",
        "SELECT * FROM POSTGRES_scan('host=127.0.0.1', 'public', 'x')",
        "SELECT * FROM __ducklake_metadata_warehouse.ducklake_snapshot",
        "SELECT * FROM \"query\" /* x */ ('SELECT * FROM post' || 'gres_query()')",
        "SELECT * FROM query_table('__ducklake_meta' || 'data_warehouse.x')",
        f"FROM read_csv('{tmp_path}/private.csv')",
    ):
        with pytest.raises(WarehouseError, match=r"reaches the catalog|Permission Error"), lake.query(sql) as answer:
            list(answer.rows)
    assert count(lake, "name LIKE 'secret%'") == 1000


def test_earlier_versions_go_and_so_do_their_files(lake: Warehouse, url: str, tmp_path: Path) -> None:
    files = tmp_path / "files"
    first = set(files.rglob("*.parquet"))
    with lake.transaction() as session:
        session.execute("UPDATE shop.orders SET name = 'other' WHERE id < 600")
    assert count(lake, "name = 'other'") == 600
    assert first <= set(files.rglob("*.parquet"))
    with lake.query("SELECT count(*) FROM shop.orders AT (VERSION => 1) WHERE name LIKE 'secret%'") as answer:
        assert list(answer.rows) == [(1000,)]
    lake.compact(["shop.orders"])
    left = b"".join(path.read_bytes() for path in files.rglob("*.parquet"))
    assert not first & set(files.rglob("*.parquet"))
    assert b"secret1" not in left
    assert count(lake, "name = 'other'") == 600
    assert isinstance(lake, SharedLake)
    assert not is_due(lake.server, timedelta(days=1))
    with psycopg2.connect(catalog_of(url)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE leat_locks.tidied SET at = at - interval '2 hours'")
    connection.close()
    with lake.transaction("analytics", one_moment=True) as session:
        session.execute("DELETE FROM shop.orders WHERE id < 500")
    assert not is_due(lake.server, timedelta(days=1)), "it was done after the commit"
    assert count(lake) == 500


def test_the_command_line_of_duckdb_reads_it(lake: Warehouse, postgres_url: str, tmp_path: Path) -> None:
    _, command = lake.client
    attach = command[command.index("ATTACH") : command.rindex('"')]
    loads = "; ".join(f"LOAD '{extension_path(name, 'ducklake')}'" for name in ("ducklake", "postgres_scanner"))
    parts = urlsplit(postgres_url)
    asked = "SELECT count(*) FROM shop.orders; DELETE FROM shop.orders"
    done = subprocess.run(
        [Path(sys.executable).with_name("duckdb"), "-csv", "-noheader", "-c", f"{loads}; {attach}; {asked}"],
        capture_output=True,
        text=True,
        check=False,
        env={"PGUSER": str(parts.username), "PGPASSWORD": str(parts.password), "HOME": str(tmp_path)},
    )
    assert done.stdout.split() == ["1000"], done.stderr
    assert "read-only" in done.stderr


def test_a_control_store_that_others_do_not_see_is_refused(url: str, postgres_url: str, tally: Tally) -> None:
    lake = replace(tally.project, warehouse_url=url)
    for control, why in (
        (tally.project.control_url, "the control store is a file of this one. Next: set LEAT_CONTROL"),
        (postgres_url, "name one database"),
    ):
        with pytest.raises(WarehouseError, match=why):
            _ = Workspace(replace(lake, control_url=control)).warehouse
    assert isinstance(Workspace(replace(lake, control_url=f"{postgres_url}_control")).warehouse, SharedLake)


def test_urls() -> None:
    database = "postgresql://u:p%40@h:5432/d"
    assert read_lake_url(f"ducklake:{database}?data=s3://b/p/&retain=P7D&sslmode=require", "X") == (
        f"{database}?sslmode=require", "s3://b/p", timedelta(days=7),
    )  # fmt: skip
    assert read_lake_url(f"ducklake:{database}?data=/srv/lake%20one", "X") == (
        database, "/srv/lake one", timedelta(days=1),
    )  # fmt: skip
    for wrong in ("", "?data=lake", "?data=s3:/b", "?data=gs://b", "?data=s3://b/*", "?retain=P7D"):
        with pytest.raises(WarehouseError, match="X doesn't say where the files of the lake are"):
            read_lake_url(f"ducklake:{database}{wrong}", "X")
