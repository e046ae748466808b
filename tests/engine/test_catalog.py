"""The schema ``catalog``: everything that is declared is in it, described, on both engines alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leat.catalog.store import declared_mark
from leat.catalog.tables import ALL
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.load.system_tables import TABLES
from leat.runs.refresh import refresh
from leat.warehouse.session import Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import declare, load, utc, warehouse_of, write

FIRST = """/* ---
description: "Commits by author. What's more: a quote."
owners: [engineering]
history: true
grain: [who]
columns: {who: Who wrote them., lines: Lines they touched., user: A word that has to be quoted.}
checks:
  - unique: [who]
  - range: {lines: {min: 0}}
  - foreign_key: {who: version_control.authors.email}
--- */
SELECT c.author_email AS who, CAST(SUM(f.added + f.deleted) AS BIGINT) AS lines, COUNT(*) AS "user"
FROM version_control.commits AS c JOIN version_control.commit_files AS f USING (repository, "commit")
GROUP BY c.author_email
"""
SECOND = "/* ---\ndescription: People.\ncolumns: {person: Who., one: One.}\n--- */\n"
SECOND += "SELECT LOWER(who) AS person, CAST(1 AS BIGINT) AS one FROM first"
RULE = """/* ---
title: Nobody commits at night
description: Somebody did.
next_step: Let them sleep.
owner: people
key: who
needs: [calendar]
--- */
SELECT who FROM first
"""


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def declarations(**streams: Any) -> dict[str, Declaration]:
    calendar = {"attendees": {"mask": ["name"], "history": True, "fresh_within": "P1DT2H"}, **streams}
    return {"calendar": declare("calendar", calendar), "version_control": declare("version_control")}


@pytest.fixture
def described(tmp_path: Path, warehouse: Warehouse) -> Project:
    """Load a little, build two models, run a rule, and so write the catalog."""
    write(tmp_path, "quality/rules", {"night.sql": RULE})
    project = write(tmp_path, "assets/models", {"first.sql": FIRST, "second.sql": SECOND})
    commit = {"repository": "app", "commit": "c1", "parent_count": 1, "author_email": "a@x.org"}
    touched = {"repository": "app", "commit": "c1", "path": "a.py", "added": 2, "deleted": 1}
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit], "commit_files": [touched]}, utc(2026, 11, 20))
        load(session, "calendar", "002", {"calendars": []}, utc(2026, 11, 20, 1))
    assert refresh(project, warehouse, declarations(), {"calendar": utc(2026, 11, 21)}) is not None
    return project


def rows(warehouse: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.snapshot() as session:
        return session.execute(sql)


def test_every_table_and_column_is_there_and_described(warehouse: Warehouse, described: Project) -> None:
    expected = {("analytics", "first", "model"), ("analytics", "second", "model")}
    expected |= {("calendar", "attendees_history", "history"), ("analytics", "first_history", "history")}
    expected |= {(d.name, stream.name, "stream") for d in declarations().values() for stream in d.selected()}
    expected |= {("leat", name, "engine") for name in TABLES} | {("catalog", name, "catalog") for name in ALL}
    assert set(rows(warehouse, "SELECT schema_name, table_name, kind FROM catalog.tables")) == expected
    columns = rows(warehouse, "SELECT schema_name, table_name, column_name FROM catalog.columns")
    assert len(columns) == len(set(columns))
    assert {column[:2] for column in columns} == {table[:2] for table in expected}
    assert rows(warehouse, "SELECT * FROM catalog.columns WHERE COALESCE(description, '') = ''") == []
    assert rows(warehouse, "SELECT * FROM catalog.tables WHERE COALESCE(description, '') = ''") == []


def test_columns_are_as_they_are_in_the_tables(warehouse: Warehouse, described: Project) -> None:
    reported: dict[tuple[str, str], dict[str, str]] = {}
    listed = "SELECT schema_name, table_name, column_name, type FROM catalog.columns ORDER BY 1, 2, position"
    for schema, table, column, kind in rows(warehouse, listed):
        reported.setdefault((schema, table), {})[column] = kind
    with warehouse.snapshot() as session:
        there = {name: session.columns(*name) for name in reported}
    loaded = {name: list(columns.items()) for name, columns in there.items() if columns}
    assert len(loaded) == len(TABLES) + len(ALL) + 6
    assert {name: list(reported[name].items()) for name in loaded} == loaded


def test_own_tables_are_described_to_the_column() -> None:
    declared = {**{f"leat.{name}": table for name, table in TABLES.items()}, **ALL}
    assert [name for name, table in declared.items() if not table.description] == []
    assert [name for name, table in declared.items() if len(table.types) != len(table.columns)] == [], "named twice"
    assert [(name, c.name) for name, table in declared.items() for c in table.columns if not c.description] == []


def test_tables_show_key_owner_deletes_freshness_and_rows(warehouse: Warehouse, described: Project) -> None:
    columns = "schema_name, table_name, key, owner, deletes, row_count, last_changed_at, fresh_within, history_table"
    actual = {row[:2]: row[2:] for row in rows(warehouse, f"SELECT {columns} FROM catalog.tables")}
    assert actual["version_control", "commits"] == (
        *("repository, commit", None, "never", 1, utc(2026, 11, 20), None, None),
    )
    assert actual["calendar", "attendees"] == (
        *("calendar, href, uid, recurrence_id, address", None, "feed", None, None, "P1DT2H", "attendees_history"),
    )
    grains = dict(rows(warehouse, "SELECT table_name, grain FROM catalog.tables WHERE grain IS NOT NULL"))
    assert grains == {"first": "who"}
    key, owner, deletes, count, *_ = actual["analytics", "first"]
    assert (key, owner, deletes, count) == ("who", "engineering", None, 1)
    sql = "SELECT last_changed_at, last_load_at, last_good_run_at, fresh_within_seconds FROM catalog.freshness "
    assert rows(warehouse, sql + "WHERE schema_name = 'calendar' AND table_name = 'attendees'") == [
        (None, utc(2026, 11, 20, 1), utc(2026, 11, 21), 26 * 3600)
    ]


def test_lineage_shows_tables_and_columns(warehouse: Warehouse, described: Project) -> None:
    sql = "SELECT from_schema || '.' || from_table, from_column, to_column FROM catalog.lineage "
    assert sorted(rows(warehouse, sql + "WHERE to_table = 'first'"), key=str) == [
        ("version_control.commit_files", "added", "lines"),
        ("version_control.commit_files", "deleted", "lines"),
        ("version_control.commit_files", None, None),
        ("version_control.commits", "author_email", "who"),
        ("version_control.commits", None, None),
    ]
    assert rows(warehouse, sql + "WHERE to_table = 'second' ORDER BY 2") == [
        *sorted([("analytics.first", "who", "person"), ("analytics.first", None, None)], key=str)
    ]
    assert len(rows(warehouse, sql + "WHERE to_table = 'attendees_history' AND from_column = 'email'")) == 1
    assert ("analytics.first", "who", "who") in rows(warehouse, sql + "WHERE to_table = 'first_history'")


def test_personal_data_is_tagged_wherever_it_goes(warehouse: Warehouse, described: Project) -> None:
    sql = "SELECT column_name, masked FROM catalog.columns WHERE personal AND schema_name || '.' || table_name = "
    assert rows(warehouse, sql + "'analytics.second'") == [("person", False)]
    assert rows(warehouse, sql + "'analytics.first_history'") == [("who", False)]
    for table in ("attendees", "attendees_history"):
        actual = dict(rows(warehouse, f"{sql} 'calendar.{table}'"))
        assert (actual["email"], actual["name"]) == (False, True)
        assert "role" not in actual


def test_checks_and_rules_show_their_last_result(warehouse: Warehouse, described: Project) -> None:
    sql = "SELECT check_name, kind, severity, columns, target_schema, target_table, target_column, ok "
    actual = rows(warehouse, sql + "FROM catalog.checks WHERE table_name = 'first' ORDER BY check_name")
    target = ("version_control", "authors", "email")
    assert actual == [
        ("foreign_key_who", "foreign_key", "error", "who", *target, True),
        ("range_lines", "range", "error", "lines", None, None, None, True),
        ("unique_who", "unique", "error", "who", None, None, None, True),
    ]
    sql = "SELECT rule, title, owner, severity, needs, outcome, open_violations, declared_in FROM catalog.rules"
    said = ("night", "Nobody commits at night", "people", "warn", "calendar", "violated", 1, "quality/rules/night.sql")
    assert rows(warehouse, sql) == [said]
    assert rows(warehouse, "SELECT * FROM catalog.rule_inputs") == [("night", "analytics", "first")]
    assert rows(warehouse, "SELECT rule, title, next_step FROM catalog.open_violations") == [
        ("night", "Nobody commits at night", "Let them sleep.")
    ]


def test_what_changes_with_a_load_is_never_stale(warehouse: Warehouse, described: Project) -> None:
    with warehouse.transaction() as session:
        more = {"repository": "app", "commit": "c2", "parent_count": 1}
        load(session, "version_control", "003", {"commits": [more, {**more, "commit": "c3"}]}, utc(2026, 11, 22))
    sql = "SELECT row_count, last_changed_at FROM catalog.tables WHERE table_name = 'commits'"
    assert rows(warehouse, sql) == [(2, utc(2026, 11, 22))]


def test_it_is_written_only_when_something_declared_changed(warehouse: Warehouse, described: Project) -> None:
    before = rows(warehouse, "SELECT mark FROM catalog.written")
    assert refresh(described, warehouse, declarations()) is None
    assert refresh(described, warehouse, declarations(), always=True) is not None
    assert rows(warehouse, "SELECT mark FROM catalog.written") == before
    changed = declarations(alarms={"fresh_within": "PT1H"})
    assert declared_mark(changed) != declared_mark(declarations())
    assert refresh(described, warehouse, changed) is not None
    assert rows(warehouse, "SELECT fresh_within FROM catalog.tables WHERE table_name = 'alarms'") == [("PT1H",)]
    assert refresh(described, warehouse, changed) is None


def test_another_form_of_the_catalog_is_recreated(warehouse: Warehouse, described: Project) -> None:
    with warehouse.transaction() as session:
        session.execute("UPDATE catalog.written SET mark = 'of an earlier version of leat'")
        session.execute("ALTER TABLE catalog.good_runs ADD COLUMN old BIGINT")
    assert refresh(described, warehouse, declarations(), always=True) is not None
    with warehouse.snapshot() as session:
        assert {name: session.columns("catalog", name) for name in ALL} == {
            name: table.types for name, table in ALL.items()
        }


def test_examples_run(warehouse: Warehouse, described: Project) -> None:
    queries = rows(warehouse, "SELECT schema_name, table_name, example_query FROM catalog.tables")
    run = 0
    with warehouse.snapshot() as session:
        for schema, table, query in queries:
            if session.columns(schema, table):
                session.execute(query)
                run += 1
    assert run == len(TABLES) + len(ALL) + 6


def test_clients_see_the_descriptions(warehouse: Warehouse, described: Project) -> None:
    if warehouse.dialect.name == "postgres":
        sql = "SELECT obj_description('catalog.tables'::regclass), col_description('catalog.columns'::regclass, 1)"
    else:
        sql = "SELECT (SELECT comment FROM duckdb_views() WHERE schema_name = 'catalog' AND view_name = 'tables'), "
        sql += "(SELECT comment FROM duckdb_columns() WHERE schema_name = 'catalog' AND table_name = 'columns' LIMIT 1)"
    ((table, column),) = rows(warehouse, sql)
    assert table == "A table of the warehouse."
    assert column.startswith("Schema of the table")
