"""``leat query``: what it refuses, what stops it, and how rows are printed; on both engines where both apply."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from leat.cli import output
from leat.cli.rows import Form, print_rows
from leat.runs.printable import printable
from leat.warehouse.answer import Limits, size_in_bytes
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from leat.warehouse.query import Watch
from leat.warehouse.session import Warehouse, WarehouseError
from tests.kit.child import wait_until
from tests.kit.command import LEAT, Leat, tally_project

ENDLESS = {
    "duckdb": "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range + b.range) = 1",
    "postgres": "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000000000) b",
}


@pytest.fixture
def warehouse(warehouse_url: str | None, tmp_path: Path) -> Warehouse:
    """Give a published warehouse with one table."""
    made = open_warehouse(warehouse_url, tmp_path / "state")
    with made.transaction() as session:
        session.execute("CREATE SCHEMA x")
        session.execute("CREATE TABLE x.t AS SELECT 1 AS a, 'one' AS b")
        session.execute("CREATE SEQUENCE x.s")
    publish_version(made)
    return made


def asked(warehouse: Warehouse, sql: str, limits: Limits | None = None) -> list[tuple[Any, ...]]:
    with warehouse.query(sql, limits or Limits()) as answer:
        return list(answer.rows)


READS = ["SELECT * FROM x.t", "VALUES (1, 'one')", "WITH t AS (SELECT * FROM x.t) SELECT * FROM t -- all; of it",
         "(SELECT a, b FROM x.t) UNION ALL SELECT a, b FROM x.t WHERE false;", "/* a */ TABLE x.t",
         "SELECT 1 AS a, 'one' AS b WHERE 'a;b' <> 'nothing; else'"]  # fmt: skip


@pytest.mark.parametrize("sql", READS)
def test_what_reads_is_answered(warehouse: Warehouse, sql: str) -> None:
    assert asked(warehouse, sql) == [(1, "one")]


def test_other_ways_of_looking(warehouse: Warehouse) -> None:
    looks = {
        "duckdb": ["FROM x.t", "DESCRIBE x.t", "SUMMARIZE x.t", "SHOW ALL TABLES", "PIVOT x.t ON b USING sum(a)",
                   "EXPLAIN SELECT * FROM x.t", "EXPLAIN (FORMAT json) SELECT 1"],
        "postgres": ["SHOW timezone", "EXPLAIN ANALYZE SELECT * FROM x.t", "EXPLAIN (COSTS off) SELECT 1",
                     "SELECT random(), pg_table_size('x.t'), gen_random_uuid()"],
    }  # fmt: skip
    for sql in looks[warehouse.dialect.name]:
        assert asked(warehouse, sql), sql


WRITES = ["CREATE TABLE x.mine (a INTEGER)", "DELETE FROM x.t", "DELETE FROM x.t RETURNING a", "DROP SCHEMA x CASCADE",
          "INSERT INTO x.t VALUES (2, 'two')", "WITH n AS (SELECT 2) INSERT INTO x.t SELECT 2, 'two'",
          "UPDATE x.t SET a = 2", "EXPLAIN ANALYZE DELETE FROM x.t", "SELECT nextval('x.s')",
          "COPY (SELECT 1) TO '{file}'", "COPY x.t FROM '/etc/passwd'", "SET TimeZone = 'Asia/Tokyo'", "COMMIT",
          "BEGIN", "PREPARE p AS SELECT 1", "TRUNCATE x.t", "CHECKPOINT", "VACUUM", "ANALYZE"]  # fmt: skip
OF_DUCKDB = ["ATTACH '{file}' AS elsewhere", "SELECT * FROM read_csv('/etc/passwd')", "FROM '/etc/passwd'",
             "FROM glob('/etc/*')", "SELECT content FROM read_text('/etc/hostname')", "INSTALL httpfs", "LOAD httpfs",
             "SET enable_external_access = true", "EXPORT DATABASE '{file}'", "PRAGMA database_list",
             "DETACH warehouse", "CALL enable_logging('QueryLog')", "FROM enable_profiling()",
             "FROM \"enable_logging\" ('QueryLog')",
             "EXPLAIN ANALYZE COPY x.t TO '{file}'", "USE memory", "FROM checkpoint('warehouse')",
             "FROM frame_of_this_test", "FROM duckdb_secrets()", "COPY (SELECT 1) TO '{file}' (FORMAT parquet)",
             "CREATE TEMP TABLE t AS SELECT 1", "FROM 'https://127.0.0.1:1/x.parquet'"]  # fmt: skip
OF_POSTGRES = ["SELECT pg_read_file('/etc/hostname')", "SELECT ('/etc/hostname'::text).pg_read_file",
               'SELECT "pg_read_file"(\'/etc/hostname\')', "SELECT pg_catalog . pg_read_file /* */ ('/etc/hostname')",
               "SELECT lo_import('/etc/hostname')", "SELECT lo_from_bytea(0, 'a')", "SELECT pg_ls_dir('/')",
               "SELECT set_config('role', 'none', true)", "SELECT query_to_xml('SELECT pg_ls_dir(1)', true, true, '')",
               "SELECT setval('x.s', 7)", "SELECT pg_advisory_lock(1)", "SELECT pg_terminate_backend(1)",
               "SELECT pg_notify('a', 'b')", "SELECT * FROM pg_authid", "SELECT passwd FROM pg_shadow",
               "SELECT U&\"pg_read_fil\\0065\"('/etc/hostname')", "COPY (SELECT 1) TO PROGRAM 'touch {file}'",
               "SELECT 1 INTO x.mine", "SELECT * FROM x.t FOR UPDATE", "SET TRANSACTION READ WRITE", "SET ROLE NONE",
               "DO $$ BEGIN PERFORM 1; END $$", "LISTEN a", "LOCK TABLE x.t", "REFRESH MATERIALIZED VIEW x.v",
               "SELECT x.mischief()", "SELECT x . \"mischief\" --\n()", "RESET ROLE", "CALL x.proc()",
               "SELECT ts_stat('SELECT 1')"]  # fmt: skip


@pytest.mark.parametrize("statements", ["both", "alone"])
def test_it_can_only_read(warehouse: Warehouse, tmp_path: Path, statements: str) -> None:
    if warehouse.dialect.name == "postgres":
        _mischief(warehouse)
    alone = OF_DUCKDB if warehouse.dialect.name == "duckdb" else OF_POSTGRES
    frame_of_this_test = object()
    assert frame_of_this_test is not None
    before = sorted(tmp_path.iterdir())
    for sql in WRITES if statements == "both" else alone:
        with pytest.raises(WarehouseError, match=r"Next: "):
            print(sql, asked(warehouse, sql.format(file=tmp_path / "elsewhere") if "{file}" in sql else sql))
    assert sorted(tmp_path.iterdir()) == before
    assert asked(warehouse, "SELECT * FROM x.t") == [(1, "one")]


def _mischief(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        session.execute("CREATE FUNCTION x.mischief() RETURNS int LANGUAGE sql AS 'SELECT 1'")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "there is no query"),
        (" \n", "there is no query"),
        (";;", "there is no query"),
        ("-- nothing\n/* at all */", "there is no query"),
        ("SELECT 1; SELECT 2", "statements were given"),
        ("SELECT 1; DELETE FROM x.t", "statements were given"),
        ("COMMIT; DELETE FROM x.t", "statements were given|isn't a SELECT"),
        ("SHOW TABLES; DELETE FROM x.t", "statements were given|unrecognized"),
        ("EXPLAIN SELECT 1; DELETE FROM x.t", "statements were given"),
        ("SELECT missing FROM x.t", "missing"),
        ("SELEC 1", "SELEC"),
    ],
)
def test_a_mistake_has_a_next_step(warehouse: Warehouse, sql: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=f"(?s)({said}).*Next: "):
        asked(warehouse, sql)


def test_who_may_not_write_may_read(warehouse: Warehouse, warehouse_url: str | None) -> None:
    if warehouse_url is None:
        return
    connection = psycopg2.connect(warehouse_url)
    connection.autocommit = True
    name = "reader_" + warehouse_url.rsplit("_", 1)[1]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'only-reads'")
        cursor.execute(f"GRANT USAGE ON SCHEMA x TO {name}; GRANT SELECT ON x.t TO {name}")
    host = warehouse_url.rsplit("@", 1)[1]
    try:
        reader = open_warehouse(f"postgresql://{name}:only-reads@{host}", Path("unused"))
        assert asked(reader, "SELECT * FROM x.t") == [(1, "one")]
        with pytest.raises(WarehouseError, match="permission denied"):
            asked(reader, "SELECT last_value FROM x.s")
        reader._engine.dispose()  # type: ignore[attr-defined]
    finally:
        connection.cursor().execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
        connection.close()


def test_time_is_bounded(warehouse: Warehouse) -> None:
    began = time.monotonic()
    with pytest.raises(WarehouseError, match=r"stopped .*--timeout"):
        asked(warehouse, ENDLESS[warehouse.dialect.name], Limits(seconds=0.3))
    assert time.monotonic() - began < 20
    assert asked(warehouse, "SELECT * FROM x.t") == [(1, "one")]


def test_memory_and_disk_are_bounded(warehouse: Warehouse, tmp_path: Path) -> None:
    numbers = {"duckdb": "range(3000000) AS g(n)", "postgres": "generate_series(1, 3000000) AS g(n)"}
    sql = f"SELECT n, md5(CAST(n AS VARCHAR)) AS m FROM {numbers[warehouse.dialect.name]} ORDER BY m"
    small = Limits(memory=size_in_bytes("60MB"), disk=size_in_bytes("1MB"))
    with pytest.raises(WarehouseError, match=r"(?i)(memory|temp)"):
        asked(warehouse, sql, small)
    assert not list((tmp_path / "state").glob("query/*")), "nothing is left"


def test_rows_come_in_a_stream(warehouse: Warehouse) -> None:
    numbers = {"duckdb": "range(2500) AS g(n)", "postgres": "generate_series(0, 2499) AS g(n)"}
    with warehouse.query(f"SELECT n FROM {numbers[warehouse.dialect.name]}") as answer:
        assert answer.columns == ["n"]
        assert next(answer.rows) == (0,)
        assert len(list(answer.rows)) == 2499
    with warehouse.query("SELECT a FROM x.t WHERE a > 1") as answer:
        assert (answer.columns, list(answer.rows)) == (["a"], [])


def test_files_of_a_killed_query_are_removed(tmp_path: Path) -> None:
    made = open_warehouse(None, tmp_path)
    with made.transaction() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
    publish_version(made)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "query" / f"{ended.pid}-left").mkdir(parents=True)
    (tmp_path / "query" / f"{os.getpid()}-mine").mkdir()
    asked(made, "SELECT * FROM t")
    assert [path.name for path in (tmp_path / "query").iterdir()] == [f"{os.getpid()}-mine"]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_an_interrupt_ends_it(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    variables = {} if engine == "duckdb" else {"LEAT_WAREHOUSE": request.getfixturevalue("postgres_url")}
    leat = tally_project(tmp_path, **variables)
    made = open_warehouse(variables.get("LEAT_WAREHOUSE"), tmp_path / ".leat")
    with made.transaction() as session:
        session.execute("CREATE TABLE t AS SELECT 1 AS a")
    publish_version(made)
    child = leat.start("query", ENDLESS[engine])
    if engine == "duckdb":
        wait_until(lambda: any((tmp_path / ".leat").glob("query/*")))
    else:
        active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'FETCH%'"
        with made.snapshot() as session:
            wait_until(lambda: session.execute(f"SELECT pg_stat_clear_snapshot(), ({active})")[0][1] == 1)
    child.send_signal(signal.SIGINT)
    said, complained = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, "")
    assert "Traceback" not in complained


def test_an_interrupt_during_a_statement_is_no_error_of_the_statement(tmp_path: Path) -> None:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)  # pytest's workers ignore SIGINT
    try:
        with pytest.raises(KeyboardInterrupt), open_warehouse(None, tmp_path).transaction() as session:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            session.execute(ENDLESS["duckdb"])
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_work_that_overlooks_a_request_to_stop_gets_another() -> None:
    requests, ended = list[int](), threading.Event()

    def cancel() -> None:
        requests.append(len(requests))
        if len(requests) == 3:
            ended.set()

    watch = Watch(Limits(seconds=0.01), cancel)
    with pytest.raises(WarehouseError, match="stopped after"):
        watch.run(lambda: ended.wait(30))
    watch.close()
    assert len(requests) == 3


VALUES = (None, "", "a,b", 'say "x"', "line\nbreak", True, False, Decimal("1.50"), 0.1, b"\x00\xff",
          {"k": [1, None]}, [1, 2], datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), "[/b] \\[red] :smile:",
          "esc \x1b]0;owned\x07")  # fmt: skip


def printed(form: Form, values: tuple[Any, ...] = VALUES, capsys: Any = None) -> str:
    print_rows([f"c{i}" for i in range(len(values))], iter([values]), form)
    return str(capsys.readouterr().out)


def test_csv_is_exact_and_null_differs_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(Form.csv, capsys=capsys)
    line = text.split("\r\n", 1)[1]
    assert line.startswith(',"","a,b","say ""x""","line\nbreak",true,false,1.50,0.1,\\x00ff,"{""k"": [1, null]}"')
    (read,) = csv.reader(io.StringIO(line, newline=""))
    assert read[12:] == ["2026-01-02 03:04:05.678901+00:00", "[/b] \\[red] :smile:", "esc \x1b]0;owned\x07"]


def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = json.loads(printed(Form.json, capsys=capsys))["rows"]
    assert (row["c1"], row["c5"], row["c10"]) == ("", True, {"k": [1, None]})
    assert row["c14"] == "esc \x1b]0;owned\x07"
    (odd,) = json.loads(printed(Form.json, (float("nan"), float("inf")), capsys))["rows"]
    assert odd == {"c0": "nan", "c1": "inf"}, "JSON has no such numbers"


@pytest.mark.parametrize("form", [Form.table, Form.records])
def test_people_see_data_that_commands_nothing(form: Form, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "out", output.Console(file=sys.stdout, width=10_000, **output._PLAIN))
    text = printed(form, capsys=capsys)
    assert "[/b] \\[red] :smile:" in text
    assert "esc \\x1b]0;owned\\x07" in text
    assert "line\\nbreak" in text
    assert "\x1b" not in text


def test_what_is_wider_than_the_terminal_is_printed_as_records(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = output.Console(file=sys.stdout, width=40, **output._PLAIN)
    monkeypatch.setattr(output, "out", narrow)
    print_rows(["id", "name"], iter([(1, "x" * 30), (2, None)]), Form.table)
    print_rows(["id", "name"], iter([(1, "y" * 40)]), Form.table)
    shown = [line.rstrip() for line in capsys.readouterr().out.split("\n")]
    assert shown[:3] == ["id  name", " 1  " + "x" * 30, " 2  -"]
    assert shown[3:6] == ["row 1", "  id    1", "  name  " + "y" * 40]


def test_people_get_the_first_thousand_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(["n"], ((n,) for n in range(2000)), Form.table)
    text = capsys.readouterr().out
    assert text.count("\n") == 1002
    assert "the first 1,000 rows" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 字 🙂\ttab\nline", "plain ä 字 🙂\ttab\nline"),
        ("a\x1b[31mb\x9b1m", "a\\x1b[31mb\\x9b1m"),
        ("a\rb\x08\x7f\x00", "a\\x0db\\x08\\x7f\\x00"),
        ("a\u202eb\u2066\u200f\u061c", "a\\u202eb\\u2066\\u200f\\u061c"),
        ("\ufeffa\u2028\U000e0041\ud800", "\\ufeffa\\u2028\\U000e0041\\ud800"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),  # one picture of two
    ],
)
def test_what_commands_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leat]:
    leat = tally_project(tmp_path_factory.mktemp("shop"))
    assert leat("run").returncode == 0
    yield leat


def test_the_reader_of_the_output_may_leave(shop: Leat) -> None:
    command = f"{LEAT} query --format FORM 'SELECT range AS n FROM range(200000)'"
    for form in ("csv", "json", "table"):
        text = f"{command.replace('FORM', form)} | head -n 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", text], cwd=shop.folder, env=shop.env(), capture_output=True, text=True,
                              check=False, timeout=60)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), form


def test_what_is_asked_of_the_command_line(shop: Leat) -> None:
    for given in ("", " ; "):
        done = shop("query", "-", given=given)
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no query" in done.stderr
    wrong = shop("query", "--memory", "much", "SELECT 1")
    assert wrong.returncode == 2
    assert "is no size such as 500MB" in wrong.stderr
