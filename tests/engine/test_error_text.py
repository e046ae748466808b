"""What databases say of errors reaches people, logs and stores, but never with what is in the rows."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
import traceback
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy

from leat.pipelines.load.error_message import shown
from leat.runs.workspace import _Redacting
from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.postgres.dialect import POSTGRES
from leat.warehouse.session import Busy, Warehouse
from tests.kit.command import tally_project, then
from tests.kit.engines import ENGINES
from tests.kit.project import row, rows

PLANTED = "078-05-1120"
NUMBERS = 9876543210


@pytest.fixture
def warehouse(warehouse_url: str | None, tmp_path: Path) -> Warehouse:
    made = open_warehouse(warehouse_url, tmp_path / "state")
    with made.transaction() as session:
        key, check = ("", "") if made.dialect.engine == "ducklake" else (" PRIMARY KEY", " CHECK (c < 9)")
        session.execute(f"CREATE TABLE t (a VARCHAR{key}, n BIGINT, c INTEGER NOT NULL{check})")
        session.execute(f"INSERT INTO t VALUES ('{PLANTED}', {NUMBERS}, 1)")
    return made


BROKEN = [
    "SELECT CAST(a AS INTEGER) FROM t",
    "SELECT CAST(a AS TIMESTAMP) FROM t",
    "SELECT CAST(a AS JSON) FROM t",
    "SELECT CAST('{\"a\": ' || a AS JSON) FROM t",
    "SELECT CAST(a AS BOOLEAN) FROM t",
    "SELECT CAST(a AS UUID) FROM t",
    "SELECT CAST(n AS INTEGER) FROM t",
    "SELECT CAST(n AS DECIMAL(4, 2)) FROM t",
    "SELECT n * n * n * n FROM t",
    "SELECT CAST(repeat('9', 400) || a AS DOUBLE PRECISION) FROM t",
    "INSERT INTO t SELECT 'x' || a, n, NULL FROM t",
]
CONSTRAINED = ["INSERT INTO t SELECT a, 1, 1 FROM t", "INSERT INTO t SELECT 'x' || a, n, 9 FROM t"]
"""What breaks constraints that a lake doesn't have."""
EACH = [
    (engine, sql) for engine in ENGINES for sql in (*BROKEN, *(CONSTRAINED if engine in ("duckdb", "postgres") else ()))
]


@pytest.mark.parametrize(("warehouse_url", "sql"), EACH, indirect=["warehouse_url"])
@pytest.mark.parametrize("through", ["session", "sqlalchemy"])
def test_no_error_has_values(warehouse: Warehouse, sql: str, through: str) -> None:
    with pytest.raises(Exception, match=r"\w") as caught, warehouse.transaction() as session:
        if through == "session":
            session.execute(sql)
        else:
            session.sqlalchemy().execute(sqlalchemy.text(sql)).all()
    assert type(caught.value).__module__.strip("_").startswith(("duckdb", "psycopg2", "sqlalchemy"))
    said = str(caught.value)
    assert len(said.split("\n", 1)[0]) > 15
    for text in (said,) if through == "sqlalchemy" else (said, "".join(traceback.format_exception(caught.value))):
        assert PLANTED not in text
        assert str(NUMBERS) not in text
        assert "Failing row" not in text


def test_a_batch_that_is_copied_says_nothing_of_its_lines(tmp_path: Path, postgres_url: str) -> None:
    connection = psycopg2.connect(postgres_url)
    with connection.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute(f"SELECT CAST('{PLANTED}' AS INTEGER)")
    connection.close()
    assert POSTGRES.error_text(caught.value) == "invalid input syntax for type integer: …"
    assert POSTGRES.error_text(psycopg2.DataError("said before")) == "said before"


MODEL = """/* ---
description: Numbers.
--- */
SELECT id, CAST(label AS BIGINT) AS n FROM tally.fed
"""
RULE = """/* ---
title: Labels are numbers
next_step: Look.
key: [id]
--- */
SELECT id FROM tally.fed WHERE CAST(label AS BIGINT) < 0
"""


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_nothing_that_is_stored_of_a_failure_has_values(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    variables = {} if engine == "duckdb" else {"LEAT_WAREHOUSE": request.getfixturevalue("postgres_url")}
    leat = tally_project(tmp_path, **variables)
    for folder, name, text in (("assets/models", "numbers", MODEL), ("quality/rules", "labels", RULE)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.sql").write_text(text)
    then(leat, rows("fed", row(1, PLANTED)))
    done = leat("run", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"], "the model failed"
    written = [done.stdout, done.stderr]
    written += [path.read_text(errors="replace") for path in (tmp_path / ".leat").glob("logs/*")]
    written.append((tmp_path / ".leat" / "control.db").read_bytes().decode("latin-1"))
    with open_warehouse(variables.get("LEAT_WAREHOUSE"), tmp_path / ".leat").snapshot() as session:
        written += [str(session.execute(f"SELECT * FROM leat.{table}")) for table in ("violations", "rules", "checks")]
    assert "rule_cannot_run" in written[-3]
    assert [text for text in written if PLANTED in text] == []


def test_other_errors_are_as_they_are() -> None:
    for dialect in (DUCKDB, POSTGRES):
        assert dialect.error_text(ValueError("plain")) is None
    assert DUCKDB.error_text(psycopg2.DataError("of another engine")) is None


def test_an_unexpected_error_of_a_command_says_where_and_no_values(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    driver = tmp_path / "sources" / "tally" / "script.py"
    text = driver.read_text()
    assert "\ndef setup_tests(" in text
    driver.write_text(
        text + f"\n\ndef setup_tests(connection, sync):\n    raise ValueError('{PLANTED[::-1]}'[::-1])\n    yield\n"
    )
    done = leat("check", "--json")
    assert done.returncode == 1
    message = json.loads(done.stdout)["error"]["message"]
    assert message.startswith("ValueError in leat.project_sources.tally.script, line ")
    logged = (tmp_path / ".leat" / "logs" / "leat.log").read_text()
    assert "unexpected\nTraceback (most recent call last):\n" in logged
    for text in (done.stdout, done.stderr, logged):
        assert PLANTED not in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "Not there", "/proc/x"), "FileNotFoundError: [Errno 2] Not there: '/proc/x'"),
        (sqlite3.OperationalError("database is locked"), "OperationalError: database is locked"),
        (
            sqlalchemy.exc.OperationalError("INSERT …", {"a": PLANTED}, sqlite3.OperationalError("disk is full")),
            "OperationalError: disk is full",
        ),
        (KeyError(PLANTED), "KeyError"),
        (Busy("another process writes"), "Busy: another process writes"),
    ],
)  # fmt: skip
def test_an_error_says_as_much_as_has_no_values(error: Exception, said: str) -> None:
    assert shown(error) == said


def test_what_any_library_logs_is_written_without_values() -> None:
    formatter, stream = _Redacting("%(message)s"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log = logging.Logger("library")
    log.addHandler(handler)
    log.error("failed", exc_info=ValueError(PLANTED))
    assert stream.getvalue() == "failed\nTraceback (most recent call last):\nValueError\n"
