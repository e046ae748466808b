"""A model with a grain through what removes rows by commands: retention, a reset and a move to another engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.command import Leat, tally_project, then
from tests.kit.databases import NewDatabase
from tests.kit.project import full_scan, row, rows

MODEL = """/* ---
description: Weights by label.
grain: [label]
--- */
SELECT label, COUNT(*) AS things, CAST(SUM(id) AS BIGINT) AS sum FROM tally.scanned
WHERE _deleted_at IS NULL GROUP BY label
"""
OLD, NEW = "2020-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"


@pytest.fixture(params=["duckdb", "postgres"])
def leat(request: pytest.FixtureRequest, tmp_path: Path) -> Leat:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    made = tally_project(tmp_path / "project", "{scanned: {}}", **({"LEAT_WAREHOUSE": url} if url else {}))
    models = made.folder / "assets" / "models"
    models.mkdir(parents=True)
    (models / "by_label.sql").write_text(MODEL)
    then(made, rows("scanned", *(row(n, "ab"[n % 2], seen_at=OLD if n < 4 else NEW) for n in range(8))))
    assert built(made) == "built for the first time"
    then(made, rows("scanned", row(8, "c", seen_at=NEW), row(7, "c", seen_at=NEW)))
    assert built(made) == "rows of 2 changed keys were built"
    return made


def built(leat: Leat, *words: str) -> str:
    """Run a command; return why it built the model, after comparing that with its query."""
    done = leat.json(*(words or ("run",)))
    query = MODEL.partition("--- */")[2]
    table = "SELECT * FROM analytics.by_label"
    sql = f"SELECT * FROM (({query} EXCEPT ALL {table}) UNION ALL ({table} EXCEPT ALL {query})) AS d"
    assert leat.json("query", sql)["rows"] == [], done
    return next((str(model["reason"]) for model in done["models"]), "")


def goes_on(leat: Leat, label: str) -> None:
    """Check that the next change is followed by its keys."""
    then(leat, rows("scanned", row(9, label, seen_at=NEW)))
    assert built(leat).startswith("rows of ")


def test_retention_builds_it_whole_and_then_it_goes_on_by_keys(leat: Leat) -> None:
    declared = leat.folder / "pipelines" / "tally.yaml"
    declared.write_text(declared.read_text().replace("scanned: {}", "scanned: {retain: {rows: P365D, by: seen_at}}"))
    assert built(leat) == "rows of tally.scanned were removed or replaced"
    assert leat.json("query", "SELECT CAST(SUM(things) AS BIGINT) AS n FROM analytics.by_label")["rows"] == [{"n": 5}]
    goes_on(leat, "d")


def test_a_reset_builds_it_whole_and_then_it_goes_on_by_keys(leat: Leat) -> None:
    then(leat, rows("scanned", *(row(n, "e", seen_at=NEW) for n in range(3))), full_scan("scanned"))
    assert built(leat, "reset", "tally") == "rows of tally.scanned were removed or replaced"
    goes_on(leat, "d")


def test_moved_to_another_engine_it_is_built_whole_and_goes_on_by_keys(leat: Leat, new_database: NewDatabase) -> None:
    if "LEAT_WAREHOUSE" in leat.variables:
        leat.json("move", "duckdb")
        there = replace(leat, variables={})
    else:
        url = new_database()
        leat.json("move", "env:NEW", NEW=url)
        there = replace(leat, variables={"LEAT_WAREHOUSE": url})
    then(there, rows("scanned", row(9, "f", seen_at=NEW)))
    assert built(there) == "its query or the form of an input has changed"
    goes_on(there, "d")
