"""What databases say of errors reaches people, logs and stores, but never with what is in the rows."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy

from leat.warehouse.connect import open_warehouse
from leat.warehouse.error_text import without_values
from leat.warehouse.session import Warehouse
from tests.kit.command import tally_project, then
from tests.kit.project import row, rows

PLANTED = "078-05-1120"
NUMBERS = 9876543210


@pytest.fixture
def warehouse(warehouse_url: str | None, tmp_path: Path) -> Warehouse:
    made = open_warehouse(warehouse_url, tmp_path / "state")
    with made.transaction() as session:
        session.execute("CREATE TABLE t (a VARCHAR PRIMARY KEY, n BIGINT, c INTEGER NOT NULL CHECK (c < 9))")
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
    "INSERT INTO t SELECT a, 1, 1 FROM t",
    "INSERT INTO t SELECT 'x' || a, n, NULL FROM t",
    "INSERT INTO t SELECT 'x' || a, n, 9 FROM t",
]


@pytest.mark.parametrize("sql", BROKEN)
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
    assert without_values(caught.value) == "invalid input syntax for type integer: …"
    assert without_values(psycopg2.DataError("said before")) == "said before"


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
def test_nothing_that_is_kept_of_a_failure_has_values(
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
    assert without_values(ValueError("plain")) == "plain"
