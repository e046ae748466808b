"""Models: what a file may say, what the shipped ones compute, and when a build touches what."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from leat.assets.build import ModelResult, build
from leat.assets.lineage import personal_columns
from leat.assets.materialize import ModelError
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.warehouse.session import Session, Warehouse
from tests.kit.engines import ENGINES
from tests.kit.loaded import REPOSITORY, both, declare, load, project, utc, warehouse_of, write

NOW = utc(2026, 11, 20, 9)
HEADER = "/* ---\ndescription: A test.\n--- */\n"
COMMITS = HEADER + "SELECT repository, COUNT(*) AS commits FROM version_control.commits GROUP BY repository"


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def models_of(folder: Path, **files: str) -> tuple[Model, ...]:
    return load_models(write(folder, "assets/models", {f"{k}.sql": v for k, v in files.items()}), both())


def mistakes_of(folder: Path, **files: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        models_of(folder, **files)
    return caught.value.diagnostics


def run(warehouse: Warehouse, models: tuple[Model, ...]) -> dict[str, ModelResult]:
    with warehouse.transaction() as session:
        return {result.name: result for result in build(session, models, NOW)}


def rows(session: Session, model: str) -> list[dict[str, Any]]:
    columns = list(session.columns("analytics", model))
    return [dict(zip(columns, row, strict=True)) for row in session.execute(f"SELECT * FROM analytics.{model}")]


def commit(name: str, **more: Any) -> dict[str, Any]:
    return {"repository": "app", "commit": name, "parent_count": 1, "author_email": "a@x.org", **more}


def test_what_is_optional_is_read_as_empty_until_it_is_there(warehouse: Warehouse, tmp_path: Path) -> None:
    sql = """
        SELECT c."commit" AS name, e.starts_at, p.amount + 1 AS amount, t.customer
        FROM version_control.commits AS c
        LEFT JOIN calendar.events AS e ON e.uid = c."commit" AND e._deleted_at IS NULL
        LEFT JOIN payments.charges AS p ON p.id = c."commit"
        LEFT JOIN elsewhere.tickets AS t ON t.subject = c."commit"
    """
    header = "/* ---\ndescription: A.\noptional: [calendar, payments, elsewhere]\n--- */"
    models = models_of(tmp_path, seen=header + sql)
    assert run(warehouse, models)["seen"].reason == "version_control.commits hasn't been loaded yet"
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    assert run(warehouse, models)["seen"].status == "built"
    with warehouse.transaction() as session:
        assert rows(session, "seen") == [{"name": "c1", "starts_at": None, "amount": None, "customer": None}]
        assert session.columns("analytics", "seen")["starts_at"] == "timestamp"
        load(session, "calendar", "002", {"events": [{"uid": "c1", "starts_at": NOW}]}, NOW)
    assert run(warehouse, models)["seen"].reason == "its query or an input has changed"
    with warehouse.transaction() as session:
        assert [row["starts_at"] for row in rows(session, "seen")] == [NOW]


# What a file may say.


def test_a_mistake_says_where_it_is_and_what_to_do(tmp_path: Path) -> None:
    assert mistakes_of(tmp_path / "1", broken=HEADER + "SELECT a,\nFROM WHERE x") == [
        "assets/models/broken.sql:5: not SQL, near 'WHERE': Expected table name. Next: try the SELECT in DuckDB"
    ]
    assert mistakes_of(tmp_path / "2", typo=HEADER + "SELECT *\nFROM version_control.comits") == [
        "assets/models/typo.sql:5: no table 'version_control.comits'; did you mean \"commits\"?; valid: repositories, "
        "refs, ref_updates, commits, commit_parents, commit_files, tags, files, merges, authors"
    ]
    assert mistakes_of(tmp_path / "3", typo=HEADER + "SELECT 1 AS one FROM calender.events") == [
        "assets/models/typo.sql:4: no integration 'calender' is declared; did you mean \"calendar\"?"
    ]
    assert mistakes_of(tmp_path / "4", two=HEADER + "SELECT 1 AS one; SELECT 2 AS two") == [
        "assets/models/two.sql:1: there are 2 statements; write one per file"
    ]
    assert mistakes_of(tmp_path / "5", drop=HEADER + "DROP TABLE calendar.events") == [
        "assets/models/drop.sql:1: DROP isn't a SELECT; a file is one SELECT that reads"
    ]
    assert mistakes_of(tmp_path / "6", bare="SELECT 1 AS one") == [
        "assets/models/bare.sql:1: the header is missing; begin the file with a line /* ---, keys such as "
        "`description: …`, and a line --- */"
    ]
    assert mistakes_of(tmp_path / "7", key="/* ---\ndescription: A.\nowner: [x]\n--- */\nSELECT 1 AS one") == [
        'assets/models/key.sql:3: owner: unknown key; did you mean "owners"?'
    ]
    assert mistakes_of(tmp_path / "8", column=HEADER + "SELECT uid,\n  sumary\nFROM calendar.events") == [
        "assets/models/column.sql:5: column 'sumary' isn't in one table that the query reads; did you mean \"summary\"?"
    ]
    assert mistakes_of(tmp_path / "9", doc="/* ---\ndescription: A.\ncolumns:\n  tow: x\n--- */\nSELECT 2 AS two") == [
        "assets/models/doc.sql:4: columns: the query gives no column 'tow'; did you mean \"two\"?"
    ]
    assert mistakes_of(tmp_path / "10", Upper=HEADER + "SELECT 1 AS one") == [
        "assets/models/Upper.sql: the file's name must be a lower-case identifier, like churn.sql"
    ]


def test_a_mistake_in_what_is_optional_and_a_parameter(tmp_path: Path) -> None:
    header = "/* ---\ndescription: A.\noptional: [calender]\n--- */\n"
    assert mistakes_of(tmp_path / "1", typo=header + "SELECT uid FROM calendar.events") == [
        "assets/models/typo.sql:3: optional: nothing of 'calender' is read; did you mean \"calendar\"?"
    ]
    assert mistakes_of(tmp_path / "2", now=HEADER + "SELECT uid FROM calendar.events\nWHERE starts_at < $now") == [
        "assets/models/now.sql:5: $now: a model has no parameters. Next: read the time from leat.loads"
    ]


def test_models_are_cached_until_a_file_or_a_declaration_changes(tmp_path: Path) -> None:
    header = "/* ---\ndescription: A.\nchecks: [{unique: [repository]}, {row_count: {min: 1}}]\n--- */\n"
    models = {"commits.sql": header + COMMITS.removeprefix(HEADER), "b.sql": HEADER + "SELECT commits FROM commits"}
    given = write(tmp_path, "assets/models", models)
    given.state.mkdir()
    parsed = load_models(given, both(), cache=True)
    again = load_models(given, both())
    assert again == parsed
    assert [check.kind for check in again[0].checks] == ["unique", "row_count"]
    (cache,) = (given.state / "cache").iterdir()
    cache.write_text(cache.read_text().replace('"A."', '"Kept."'))
    assert load_models(given, both())[0].description == "Kept."
    (tmp_path / "assets" / "models" / "b.sql").write_text(HEADER + "SELECT commits + 1 AS more FROM commits")
    assert load_models(given, both())[1].columns == {"more": ""}
    without = {"version_control": declare("version_control", {"commits": {"exclude": ["repository"]}})}
    with pytest.raises(DeclarationError):
        load_models(given, without)


def test_models_that_read_each_other_are_refused(tmp_path: Path) -> None:
    actual = mistakes_of(
        tmp_path, a=HEADER + "SELECT x FROM b", b=HEADER + "SELECT x FROM c", c=HEADER + "SELECT x FROM a"
    )
    assert len(actual) == 1
    assert "models can't read each other in a circle. Next: move what they share" in actual[0]


def test_a_statement_that_writes_inside_a_with_is_refused(tmp_path: Path) -> None:
    for sql in ("WITH x AS (DELETE FROM calendar.events RETURNING *) SELECT * FROM x", "COPY calendar.events TO 'x'"):
        assert mistakes_of(tmp_path, sly=HEADER + sql)


def test_what_postgres_cannot_do_asks_for_an_override(tmp_path: Path) -> None:
    sql = HEADER + "SELECT FIRST(uid IGNORE NULLS) AS uid FROM calendar.events"
    assert "Next: rewrite it, or add first.postgres.sql" in mistakes_of(tmp_path, first=sql)[0]
    write(tmp_path, "assets/models", {"first.postgres.sql": "SELECT MIN(uid) AS uid FROM calendar.events"})
    (model,) = load_models(project(tmp_path), both())
    assert model.sql["postgres"] == "SELECT MIN(uid) AS uid FROM calendar.events"
    write(tmp_path, "assets/models", {"first.postgres.sql": "SELECT MIN(uid) AS uid FROM calendar.attendees"})
    with pytest.raises(DeclarationError, match="it has to read the same tables"):
        load_models(project(tmp_path), both())


def test_names_are_folded_alike_on_both_engines(warehouse: Warehouse, tmp_path: Path) -> None:
    models = models_of(tmp_path, first=HEADER + "SELECT C.Repository AS Repo FROM Version_Control.Commits AS C")
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
        build(session, models, NOW)
        assert rows(session, "first") == [{"repo": "app"}]


def test_lineage_goes_through_ctes_and_models(tmp_path: Path) -> None:
    first = HEADER + "WITH c AS (SELECT author_email AS who, added + deleted AS n FROM version_control.commits JOIN "
    first += (
        'version_control.commit_files USING (repository, "commit")) SELECT who, SUM(n) AS lines FROM c GROUP BY who'
    )
    models = models_of(tmp_path, first=first, second=HEADER + "SELECT LOWER(who) AS person, 1 AS one FROM first")
    assert [model.name for model in models] == ["first", "second"]
    assert models[0].lineage == {
        "who": [("version_control.commits", "author_email")],
        "lines": [("version_control.commit_files", "added"), ("version_control.commit_files", "deleted")],
    }
    assert models[1].lineage == {"person": [("analytics.first", "who")], "one": []}
    assert personal_columns(models, both()) == {"first": {"who"}, "second": {"person"}}


# When a build touches what.


def test_only_what_changed_is_built_again(warehouse: Warehouse, tmp_path: Path) -> None:
    files = {
        "by_repository": COMMITS,
        "total": HEADER + "SELECT CAST(SUM(commits) AS BIGINT) AS commits FROM by_repository",
        "meetings": HEADER + "SELECT COUNT(*) AS events FROM calendar.events",
    }
    models = models_of(tmp_path, **files)
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1"), commit("c2")]}, NOW)
    first = run(warehouse, models)
    assert {name: result.status for name, result in first.items()} == {
        "by_repository": "built",
        "meetings": "skipped",
        "total": "built",
    }
    assert first["meetings"].reason == "calendar.events hasn't been loaded yet"
    assert first["by_repository"].rows == 1
    with warehouse.transaction() as session:
        load(session, "calendar", "002", {"events": [{"uid": "e1"}]}, NOW)
    second = run(warehouse, models)
    assert {name: r.status for name, r in second.items()} == {
        "by_repository": "unchanged",
        "meetings": "built",
        "total": "unchanged",
    }
    with warehouse.transaction() as session:
        load(session, "version_control", "003", {"commits": [commit("c3")], "tags": []}, NOW)
    third = run(warehouse, models)
    assert {name: r.status for name, r in third.items()} == {
        "by_repository": "built",
        "meetings": "unchanged",
        "total": "built",
    }
    with warehouse.snapshot() as session:
        assert rows(session, "total") == [{"commits": 3}]
    with warehouse.transaction() as session:
        load(session, "version_control", "004", {"commits": []}, NOW)  # a load that changed nothing
    assert {r.status for r in run(warehouse, models).values()} == {"unchanged"}


def test_who_asks_when_its_own_was_loaded_waits_for_no_other(warehouse: Warehouse, tmp_path: Path) -> None:
    loaded = HEADER + "SELECT MAX(applied_at) AS at FROM leat.loads"
    files = {
        "own": f"{loaded} WHERE integration = 'calendar' AND applied_at IS NOT NULL",
        "listed": f"{loaded} WHERE integration IN ('calendar', 'email')",
        "joined": HEADER + "SELECT COUNT(*) AS n FROM calendar.events AS e CROSS JOIN leat.loads AS l "
        "WHERE l.integration = 'calendar'",
        "all": loaded,
        "either": f"{loaded} WHERE integration = 'calendar' OR TRUE",
        "compared": f"{loaded} AS a WHERE integration = 'calendar' AND EXISTS (SELECT 1 FROM leat.loads AS b)",
    }
    models = models_of(tmp_path, **files)
    with warehouse.transaction() as session:
        load(session, "calendar", "001", {"events": [{"uid": "e1"}]}, NOW)
    assert {r.status for r in run(warehouse, models).values()} == {"built"}
    with warehouse.transaction() as session:
        load(session, "version_control", "002", {"commits": [commit("c1")]}, NOW)
    built = {name for name, r in run(warehouse, models).items() if r.status == "built"}
    assert built == {"all", "either", "compared"}
    with warehouse.transaction() as session:
        load(session, "calendar", "003", {"events": []}, NOW)  # when it was loaded is news too
    assert {r.status for r in run(warehouse, models).values()} == {"built"}


def test_columns_may_change_and_models_may_go(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    view = HEADER.replace("test.", "view.\nmaterialized: view") + "SELECT commits FROM first"
    run(warehouse, models_of(tmp_path, first=COMMITS, seen=view))
    changed = COMMITS.replace("COUNT(*) AS commits", "COUNT(*) AS commits, MAX(author_email) AS who")
    models = models_of(tmp_path, first=changed)
    assert {r.status for r in run(warehouse, models).values()} == {"built"}
    with warehouse.snapshot() as session:
        assert rows(session, "first") == [{"repository": "app", "commits": 1, "who": "a@x.org"}]
        assert rows(session, "seen") == [{"commits": 1}]
    (tmp_path / "assets/models/first.sql").unlink()
    (tmp_path / "assets/models/seen.sql").unlink()
    run(warehouse, load_models(project(tmp_path), both()))
    with warehouse.snapshot() as session:
        assert not session.columns("analytics", "first")
        assert not session.columns("analytics", "seen")
        assert session.execute("SELECT * FROM leat.models") == []


def test_columns_may_change_places(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1"), commit("c2")]}, NOW)
    for columns in (
        "COUNT(*) AS commits, CAST(7 AS BIGINT) AS seven",
        "CAST(7 AS BIGINT) AS seven, COUNT(*) AS commits",
    ):
        run(warehouse, models_of(tmp_path, first=COMMITS.replace("COUNT(*) AS commits", columns)))
        with warehouse.snapshot() as session:
            assert rows(session, "first") == [{"repository": "app", "commits": 2, "seven": 7}]


def test_a_table_may_become_a_view_and_back(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    view = COMMITS.replace("A test.", "A test.\nmaterialized: view")
    for text in (COMMITS, view, COMMITS):
        assert run(warehouse, models_of(tmp_path, first=text))["first"].status == "built"
        with warehouse.snapshot() as session:
            assert rows(session, "first") == [{"repository": "app", "commits": 1}]


def test_what_the_database_refuses_names_the_file_and_leaves_the_old_rows(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    run(warehouse, models_of(tmp_path, first=COMMITS))
    failing = models_of(tmp_path, first=COMMITS.replace("COUNT(*)", "CAST(MAX(author_email) AS BIGINT)"))
    with pytest.raises(ModelError, match=r"assets/models/first.sql: \w+ refused it: .* Next: correct the query"):
        run(warehouse, failing)
    with warehouse.snapshot() as session:
        assert rows(session, "first") == [{"repository": "app", "commits": 1}]


def test_a_type_of_one_engine_alone_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    models = models_of(tmp_path, first=COMMITS.replace("COUNT(*)", "SUM(parent_count)"))
    with pytest.raises(ModelError, match=r"column commits has a type of \w+ alone. Next: CAST\(commits AS BIGINT\)"):
        run(warehouse, models)


def test_readers_of_postgres_do_not_wait_for_a_build(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    warehouse = warehouse_of("postgres", tmp_path, request)
    models = models_of(tmp_path, first=COMMITS)
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1")]}, NOW)
    run(warehouse, models)
    reader = psycopg2.connect(request.getfixturevalue("postgres_url"), options="-c statement_timeout=5s")
    with warehouse.transaction() as session:
        load(session, "version_control", "002", {"commits": [commit("c2")]}, NOW)
        assert build(session, models, NOW)[0].status == "built"
        cursor = reader.cursor()
        cursor.execute("SELECT commits FROM analytics.first")
        assert cursor.fetchall() == [(1,)]
        reader.rollback()
    cursor.execute("SELECT commits FROM analytics.first")
    assert cursor.fetchall() == [(2,)]
    reader.close()


# What the shipped models compute, against the same in Python.


@pytest.fixture(scope="module")
def shipped() -> tuple[Model, ...]:
    return load_models(project(REPOSITORY), both())


def test_shipped_models_are_documented(shipped: tuple[Model, ...]) -> None:
    for model in shipped:
        assert all(model.columns.values()), model.name
        assert model.owners
        assert model.checks


def test_shipped_models_are_skipped_where_nothing_is_declared(warehouse: Warehouse) -> None:
    models = load_models(project(REPOSITORY), {"calendar": declare("calendar")})
    results = run(warehouse, models)
    assert results.pop("currencies").status == "built", "it reads nothing"
    assert {result.status for result in results.values()} == {"skipped"}


def test_commit_activity(warehouse: Warehouse, shipped: tuple[Model, ...]) -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    commits, files = [], []
    for number in range(60):
        parents = chance.choice([0, 1, 1, 1, 2, 3])
        commits.append(
            commit(
                f"c{number}",
                repository=chance.choice(["app", "site"]),
                parent_count=parents,
                author_email=chance.choice(["Ann@x.org", "ann@x.org", "bob@x.org", ""]),
                author_name=chance.choice(["Ann", "Bob"]),
                authored_at=chance.choice([None, *[utc(2026, 1, 1) + timedelta(hours=chance.randrange(900))] * 9]),
                _deleted_at=chance.choice([None, None, None, NOW]),
            )
        )
        for path in range(chance.randrange(4)):
            binary = chance.random() < 0.2
            files.append(
                {
                    "repository": commits[-1]["repository"],
                    "commit": f"c{number}",
                    "path": f"f{path}",
                    "added": None if binary else chance.randrange(50),
                    "deleted": None if binary else chance.randrange(50),
                    "is_merge": parents > 1,
                }
            )
    wanted: dict[Any, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for row in commits:
        at = row["authored_at"]
        if row["_deleted_at"] or at is None:
            continue
        monday = at.date() - timedelta(days=at.weekday())
        group = wanted[row["repository"], row["author_email"].lower(), monday]
        group["author_name"] = max(group["author_name"] or "", row["author_name"])
        group["merges" if row["parent_count"] > 1 else "commits"] += 1
        for file in files:
            if file["commit"] == row["commit"] and not file["is_merge"]:
                group["files_changed"] += 1
                group["lines_added"] += file["added"] or 0
                group["lines_deleted"] += file["deleted"] or 0
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": commits, "commit_files": files}, NOW)
        build(session, shipped, NOW)
        actual = rows(session, "commit_activity")
    assert len(actual) == len(wanted) > 10
    for row in actual:
        group = wanted[row["repository"], row["author_email"], row["week"]]
        for name in ("author_name", "commits", "merges", "files_changed", "lines_added", "lines_deleted"):
            assert row[name] == group[name], (name, row)


def test_branch_health(warehouse: Warehouse, shipped: tuple[Model, ...]) -> None:
    def ref(name: str, days: float | None, **more: Any) -> dict[str, Any]:
        at = None if days is None else NOW - timedelta(days=days)
        return {
            "repository": "app",
            "ref": f"refs/heads/{name}",
            "name": name,
            "kind": "branch",
            "last_commit_at": at,
        } | more

    refs = [
        ref("main", 120, is_default=True, ahead=0, behind=0, merged=True),
        ref("old", 90.5, ahead=2, behind=7, merged=False),
        ref("new", 0.9, ahead=1, behind=0, merged=False),
        ref("ahead_of_time", -3, ahead=1, behind=0, merged=False),
        ref("unborn", None),
        ref("gone", 5, _deleted_at=NOW),
        ref("v1", 5, kind="tag"),
    ]
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"refs": refs}, NOW)
        load(session, "calendar", "009", {"events": []}, NOW + timedelta(days=50))
        build(session, shipped, NOW)
        actual = {row["branch"]: row for row in rows(session, "branch_health")}
    seen = {name: (row["days_since_commit"], row["stale"], row["ahead"], row["merged"]) for name, row in actual.items()}
    assert seen == {
        "main": (120, False, 0, True),
        "old": (90, True, 2, False),
        "new": (0, False, 1, False),
        "ahead_of_time": (0, False, 1, False),
        "unborn": (None, None, None, None),
    }


def meetings(chance: random.Random) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Occurrences with the attendees of their events."""
    for number in range(80):
        local = datetime(2026, 3, 1) + timedelta(minutes=15 * chance.randrange(4000))  # noqa: DTZ001 - a wall clock
        start = local.replace(tzinfo=NOW.tzinfo) - timedelta(hours=chance.choice([0, 2]))
        key = {"calendar": "/ann/work/", "href": f"/ann/work/{number}.ics", "uid": f"u{number}", "recurrence_id": ""}
        yield (
            {
                **key,
                "occurrence_id": f"o{number}",
                "status": chance.choice([None, "CONFIRMED", "TENTATIVE", "CANCELLED"]),
                "starts_at": start,
                "ends_at": start + timedelta(minutes=chance.choice([0, 15, 60, 95])),
                "starts_local": local,
                "all_day": chance.random() < 0.1,
                "transparency": chance.choice([None, "OPAQUE", "TRANSPARENT"]),
                "_deleted_at": chance.choice([None, None, None, NOW]),
            },
            [
                {
                    **key,
                    "address": f"{who}@x.org",
                    "email": f"{who}@x.org",
                    "name": who.title(),
                    "response_status": chance.choice(["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE"]),
                    "kind": chance.choice([None, "INDIVIDUAL", "INDIVIDUAL", "ROOM"]),
                    "_deleted_at": chance.choice([None, None, None, NOW]),
                }
                for who in chance.sample(["ann", "bob", "cem"], chance.randrange(4))
            ],
        )


def happens(row: dict[str, Any]) -> bool:
    return not (
        row["_deleted_at"] or row["all_day"] or row["status"] == "CANCELLED" or row["transparency"] == "TRANSPARENT"
    )


def test_meeting_load_and_busy_hours(warehouse: Warehouse, shipped: tuple[Model, ...]) -> None:
    made = list(meetings(random.Random(2)))  # noqa: S311 - test data
    people: dict[tuple[str, date], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    hours: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0, 0])
    for occurrence, attendees in made:
        if not happens(occurrence):
            continue
        local, minutes = occurrence["starts_local"], (occurrence["ends_at"] - occurrence["starts_at"]).seconds / 60
        hours[local.isoweekday(), local.hour][0] += 1
        hours[local.isoweekday(), local.hour][1] += minutes
        for person in attendees:
            if person["kind"] == "ROOM" or person["_deleted_at"]:
                continue
            group = people[person["email"], local.date() - timedelta(days=local.weekday())]
            answer = {"ACCEPTED": "accepted", "DECLINED": "declined"}.get(person["response_status"], "unanswered")
            group[answer] += 1
            if answer != "declined":
                group["meetings"] += 1
                group["hours"] += minutes / 60
    copy = {"calendar": "/bob/copy/", "href": "/bob/copy/x.ics"}  # the same meetings in a second calendar
    tables = {
        "occurrences": [row for row, _ in made] + [row | copy for row, _ in made],
        "attendees": [row for _, of_meeting in made for row in of_meeting]
        + [row | copy for _, of_meeting in made for row in of_meeting],
    }
    with warehouse.transaction() as session:
        load(session, "calendar", "001", tables, NOW)
        build(session, shipped, NOW)
        load_rows, busy_rows = rows(session, "meeting_load"), rows(session, "busy_hours")
    assert {(row["weekday"], row["hour"]): [row["events"], row["minutes"]] for row in busy_rows} == hours
    assert len(load_rows) == len(people) > 10
    for row in load_rows:
        group = people[row["email"], row["week"]]
        assert row["hours"] == pytest.approx(group["hours"])
        for name in ("meetings", "accepted", "declined", "unanswered"):
            assert row[name] == group[name], (name, row)
