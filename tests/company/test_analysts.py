"""Each question of the pages for analysts and of the tour has one answer: by the DuckDB CLI, pandas and psql."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from leat.demo.servers.process import Process
from tests.company.conftest import Both, Demo
from tests.kit.command import ROOT
from tests.repository.docs_blocks import blocks
from tests.servers.postgres import postgres_url as url_of
from tests.servers.postgres import psql

pytestmark = pytest.mark.timeout(600)  # the whole company has to be started

PAGES = [ROOT / "docs" / "analysts.md", ROOT / "docs" / "tour.md"]
QUESTIONS = [block.text for page in PAGES for block in blocks(page) if block.kind == "sql"]
CLI = str(Path(sys.executable).with_name("duckdb"))


def answers(text: str) -> list[list[str]]:
    """Return the rows of CSV, in which both programs write times, booleans and JSON in their own way."""
    return [[alike(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


def alike(cell: str) -> str:
    if cell in ("t", "f"):
        return {"t": "true", "f": "false"}[cell]
    if cell.startswith(("{", "[")):
        return json.dumps(json.loads(cell), sort_keys=True)
    if cell[:4].isdigit() and cell[4:5] == "-":
        return cell.removesuffix("+00").removesuffix(" 00:00:00")
    return cell


def by_duckdb_cli(demo: Demo, sql: str) -> str:
    argv = [CLI, "-readonly", "-csv", "-nullvalue", "", str(demo.state / "warehouse.duckdb"), "-c", sql]
    env = {**os.environ, "TZ": "UTC"}
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env=env).stdout


def test_there_are_ten_questions_and_one() -> None:
    assert len(QUESTIONS) == 11


@pytest.fixture(scope="module")
def url(postgres_server: Process, both: Both) -> str:
    """Publish on Postgres what was loaded there as of the loads of the demo: a day may have ended between the two."""
    with both.duckdb.published() as session:
        loads = session.execute("SELECT MAX(applied_at), integration FROM leat.loads GROUP BY integration")
    with both.other.transaction() as session:
        for applied_at, integration in loads:
            session.execute("UPDATE leat.loads SET applied_at = ? WHERE integration = ?", (applied_at, integration))
        session.execute("DELETE FROM leat.models")
    assert both.leat("publish").returncode == 0
    return url_of(postgres_server)


@pytest.mark.parametrize("number", range(1, len(QUESTIONS) + 1))
def test_a_question_has_one_answer(demo: Demo, url: str, number: int) -> None:
    sql = QUESTIONS[number - 1]
    on_duckdb = answers(by_duckdb_cli(demo, sql))
    assert len(on_duckdb) > 1, "an empty answer proves nothing"
    with duckdb.connect(str(demo.state / "warehouse.duckdb"), read_only=True) as warehouse:
        frame = warehouse.sql(sql).df()
    assert (list(frame.columns), len(frame)) == (on_duckdb[0], len(on_duckdb) - 1)
    on_postgres = answers(psql(url, sql, "--csv").stdout)
    if number == 1:  # when each was first seen is of the warehouse
        on_duckdb, on_postgres = ([row[:-1] for row in rows] for rows in (on_duckdb, on_postgres))
    assert on_postgres == on_duckdb
