"""What readers get when a check or a model fails, what is recorded of that, and how it is forced, on both engines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from leat.assets.model_files import load_models
from leat.control.publications import current_publications
from leat.control.store import open_control
from leat.pipelines.declare.project import load_declarations
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.engine import Request
from leat.pipelines.load.freshness import stale_streams
from leat.pipelines.load.run import run_integration
from leat.quality.audit import audit
from leat.runs.publish import Force, Published, describe_forced, publish
from leat.runs.refresh import Refreshed, refresh
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from tests.kit.engines import is_server
from tests.kit.project import Tally, delete, row, rows

LABELS = """/* ---
description: Labels.
checks: [{unique: [id]}, {range: {weight: {max: 10}}}]
--- */
SELECT id, label, weight FROM tally.fed WHERE _deleted_at IS NULL
"""
HEAVY = """/* ---
title: Nothing is heavy
description: It is.
next_step: Lift it.
severity: error
owner: operations
key: [id]
--- */
SELECT id, weight FROM analytics.labels WHERE weight > 100
"""


@dataclass
class Desk:
    """A project with a model, and the store of its publications."""

    tally: Tally
    store: sqlalchemy.Engine

    def file(self, kind: str, name: str, text: str) -> None:
        folder = self.tally.folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.sql").write_text(text)

    def load(self, *steps: Any, forced: str | None = None) -> str:
        self.tally.then(*steps)
        force = None if forced is None else Force(self.store, forced)

        def checked(session: Any, declaration: Any) -> Any:
            checks = audit(session, declaration, load_declarations(self.tally.project))
            if force is not None and any(check.blocks for check in checks):
                force(checks)
            return checks

        result = run_integration(self.tally.engine(audit=checked), "tally", Request(forced=force is not None))
        return result.status

    def refresh(self, forced: str | None = None) -> Refreshed | None:
        declarations = load_declarations(self.tally.project)
        accept = None if forced is None else Force(self.store, forced)
        return refresh(self.tally.project, self.warehouse, declarations, accept=accept)

    def publish(self, forced: str | None = None) -> tuple[Refreshed | None, Published]:
        refreshed = self.refresh(forced)
        return refreshed, publish(self.store, self.warehouse, refreshed)

    @property
    def warehouse(self) -> Any:
        return open_warehouse(self.tally.warehouse_url, self.tally.project.state)

    def labels(self) -> list[tuple[Any, ...]]:
        return self.tally.query("SELECT id, label, weight FROM analytics.labels ORDER BY id")


@pytest.fixture
def desk(tally: Tally) -> Desk:
    desk = Desk(tally, open_control(f"sqlite:///{tally.folder / 'control.db'}"))
    desk.file("assets/models", "labels", LABELS)
    desk.load(rows("fed", row(1, "one", weight=1.0)))
    refreshed, published = desk.publish()
    assert refreshed is not None
    assert (refreshed.errors, published.withheld) == ((), None)
    return desk


def test_a_failed_check_withholds_the_version_until_it_is_fixed(desk: Desk) -> None:
    desk.load(rows("fed", row(1, "one", weight=99.0)))
    _, published = desk.publish()
    assert published.withheld is not None
    assert published.explanation is not None
    assert "analytics.labels: range_weight" in published.explanation
    assert desk.labels() == [(1, "one", 1.0)], "also on Postgres, where rows of streams are there"
    since = published.withheld.data["since"]
    desk.load(rows("fed", row(2, "two", weight=50.0)))
    _, again = desk.publish()
    assert again.withheld is not None
    assert again.withheld.data["since"] == since, "since it began"
    assert current_publications(desk.store).withheld == again.withheld
    with desk.warehouse.snapshot() as session:
        assert session.execute("SELECT failing FROM leat.checks WHERE NOT ok") == [(2,)], "the finding is kept"
    desk.load(rows("fed", row(1, "one", weight=2.0), row(2, "two", weight=3.0)))
    _, fixed = desk.publish()
    assert fixed.withheld is None
    assert desk.labels() == [(1, "one", 2.0), (2, "two", 3.0)]
    assert current_publications(desk.store).withheld is None


def test_a_rule_of_severity_error_withholds_the_models_and_the_ledger_says_why(desk: Desk) -> None:
    desk.file("assets/models", "labels", LABELS.replace(", {range: {weight: {max: 10}}}", ""))
    desk.file("quality/rules", "heavy", HEAVY)
    desk.publish()
    desk.load(rows("fed", row(1, "one", weight=500.0)))
    _, published = desk.publish()
    assert published.explanation is not None
    assert "heavy" in published.explanation
    assert desk.labels() == [(1, "one", 1.0)]
    with desk.warehouse.snapshot() as session:
        assert session.execute("SELECT rule, resolved_at FROM leat.violations") == [("heavy", None)]
        assert session.execute("SELECT outcome FROM leat.rules WHERE rule = 'heavy'") == [("violated",)]


def test_forced_is_published_and_reported_until_it_is_clean(desk: Desk) -> None:
    desk.load(rows("fed", row(1, "one", weight=99.0)))
    desk.publish()
    refreshed, published = desk.publish("the fair is today")
    assert refreshed is not None
    assert (refreshed.accepted, published.withheld) == (True, None)
    assert desk.labels() == [(1, "one", 99.0)]
    (forced,) = current_publications(desk.store).forced
    assert "who said: the fair is today. Despite: analytics.labels: range_weight" in describe_forced(forced)
    assert desk.refresh() is None, "this version is accepted"
    desk.load(rows("fed", row(2, "two", weight=1.0)))
    _, second = desk.publish()
    assert second.withheld is not None, "the next is not"
    assert current_publications(desk.store).forced == (forced,)
    desk.load(rows("fed", row(1, "one", weight=1.0)))
    desk.publish()
    current = current_publications(desk.store)
    assert (current.withheld, current.forced) == (None, ())


def test_a_blocked_load_can_be_forced(desk: Desk) -> None:
    desk.tally.declare("{fed: {checks: [{range: {weight: {min: 0}}}]}}")
    bad = rows("fed", row(1, "one", weight=-1.0))
    assert desk.load(bad) == "blocked"
    desk.publish()
    assert desk.labels() == [(1, "one", 1.0)]
    assert desk.load(forced="a refund") == "loaded"
    refreshed, _ = desk.publish("a refund")
    assert desk.labels() == [(1, "one", -1.0)]
    (forced,) = current_publications(desk.store).forced
    assert forced.data["reasons"][0]["subject"] == "tally.fed"
    assert refreshed is not None
    desk.file("assets/models", "labels", LABELS + "-- changed\n")
    desk.publish()
    assert current_publications(desk.store).forced == (forced,), "its rows are as they were"
    assert desk.load(rows("fed", row(1, "one", weight=1.0))) == "loaded"
    desk.publish()
    assert current_publications(desk.store).forced == ()


def test_a_model_that_fails_hinders_no_other(desk: Desk) -> None:
    desk.file("assets/models", "broken", LABELS.replace("label,", "CAST(label AS BIGINT) AS label,"))
    broken = "SELECT id, label FROM analytics.broken"
    desk.file("assets/models", "reader", "/* ---\ndescription: Reads it.\n--- */\n" + broken)
    desk.load(rows("fed", row(1, "1", weight=1.0)))
    refreshed, _ = desk.publish()
    assert refreshed is not None
    assert refreshed.errors == ()
    desk.load(rows("fed", row(1, "no number", weight=2.0)))
    refreshed, published = desk.publish()
    assert refreshed is not None
    statuses = {model.name: model.status for model in refreshed.models}
    assert statuses == {"broken": "failed", "labels": "built", "reader": "withheld"}
    assert "assets/models/broken.sql" in refreshed.errors[0]
    assert published.withheld is None
    assert desk.labels() == [(1, "no number", 2.0)]
    assert desk.tally.query("SELECT id, label FROM analytics.reader") == [(1, 1)], "as it was built last"
    assert desk.refresh() is not None, "it is tried again"


def test_a_file_with_a_mistake_hinders_no_other(desk: Desk) -> None:
    reader = "/* ---\ndescription: Reads it.\n--- */\nSELECT id, label FROM analytics.wrong"
    desk.file("assets/models", "wrong", LABELS)
    desk.file("assets/models", "reader", reader)
    desk.publish()
    desk.file("assets/models", "wrong", LABELS.replace("FROM tally.fed", "FROM tally.fedd"))
    desk.file("assets/models", "worse", "SELEC")
    desk.file("quality/rules", "lost", HEAVY.replace("analytics.labels", "analytics.wrong"))
    desk.file("quality/rules", "unreadable", "nothing")
    desk.file("quality/rules", "heavy", HEAVY.replace("severity: error", "severity: warn"))
    desk.load(rows("fed", row(1, "new", weight=9.0)))
    refreshed, published = desk.publish()
    assert refreshed is not None
    statuses = {model.name: model.status for model in refreshed.models}
    assert statuses == {"wrong": "failed", "worse": "failed", "labels": "built", "reader": "withheld"}
    assert "assets/models/wrong.sql:5: no table 'tally.fedd'" in next(e for e in refreshed.errors if "fedd" in e)
    assert published.withheld is None
    assert desk.labels() == [(1, "new", 9.0)]
    assert desk.tally.query("SELECT label FROM analytics.reader") == [("one",)], "as it was built last"
    outcomes = {check.check: (check.ok, check.skipped) for check in refreshed.checks if "." not in check.subject}
    assert outcomes == {"heavy": (True, False), "lost": (True, True), "unreadable": (False, False)}
    desk.file("assets/models", "wrong", LABELS)
    (desk.tally.folder / "assets/models/worse.sql").unlink()
    refreshed, _ = desk.publish()
    assert refreshed is not None
    assert refreshed.errors == ()
    assert desk.tally.query("SELECT label FROM analytics.reader") == [("new",)]


MODEL = """/* ---
description: Labels.
history: true
checks: [{unique: [id]}]
--- */
SELECT id, label FROM tally.fed WHERE _deleted_at IS NULL
"""


def test_a_model_has_a_past(desk: Desk) -> None:
    desk.file("assets/models", "labels", MODEL)
    loads = []
    for steps in (
        [rows("fed", row(1, "one"), row(2, "two"), row(3, "three"))],
        [rows("fed", row(1, "changed")), delete("fed", shelf="a", id=2)],
        [rows("fed", row(2, "back"))],
    ):
        desk.load(*steps)
        desk.publish()
        loads.append(desk.tally.query("SELECT max(load_id) FROM leat.loads")[0][0])
    asked = "SELECT id, label FROM analytics.labels_as_of(leat.load_time('{}')) ORDER BY id"
    assert [desk.tally.query(asked.format(load)) for load in loads] == [
        [(1, "one"), (2, "two"), (3, "three")],
        [(1, "changed"), (3, "three")],
        [(1, "changed"), (2, "back"), (3, "three")],
    ]
    assert desk.tally.query("SELECT count(*), count(valid_to) FROM analytics.labels_history") == [(5, 2)]
    desk.file("assets/models", "labels", MODEL.replace("SELECT id, label", "SELECT id, label, weight"))
    desk.publish()
    assert desk.tally.query(asked.format(loads[1])) == [(1, "changed"), (3, "three")]
    desk.file("assets/models", "labels", MODEL.replace("history: true\n", ""))
    desk.publish()
    assert desk.tally.query("SELECT * FROM leat.histories") == []
    assert desk.tally.query("SELECT count(*) FROM analytics.labels_history") == [(5,)], "it can't be made anew"


@pytest.mark.parametrize(
    ("header", "mistake"),
    [
        (
            MODEL.replace("checks: [{unique: [id]}]\n", ""),
            "labels.sql:3: history: which row is which?",
        ),
        (MODEL.replace("history", "materialized: view\nhistory"), "labels.sql:4: history: a view has no rows"),
        (
            MODEL.replace("label FROM", "label AS valid_to FROM"),
            "labels.sql:3: history: the model has a column",
        ),
    ],
)
def test_mistakes_of_a_history(tmp_path: Path, header: str, mistake: str) -> None:

    tally = Tally(tmp_path)
    tally.declare()
    desk = Desk(tally, sqlalchemy.create_engine("sqlite://"))
    desk.file("assets/models", "labels", header)
    with pytest.raises(DeclarationError, match=mistake.replace("?", r"\?")):
        load_models(tally.project, load_declarations(tally.project))


def test_a_column_of_another_type_stops_the_model_alone(desk: Desk) -> None:
    desk.file("assets/models", "labels", MODEL)
    desk.publish()
    desk.file("assets/models", "labels", MODEL.replace("label FROM", "CAST(length(label) AS BIGINT) AS label FROM"))
    refreshed, _ = desk.publish()
    assert refreshed is not None
    assert "column label was string and is integer now" in refreshed.errors[0]
    assert refreshed.models[0].status == "failed"
    assert desk.tally.query("SELECT label FROM analytics.labels") == [("one",)]


def judged_by_a_rule(desk: Desk) -> None:
    """Let a rule of severity error judge the rows of the stream itself."""
    desk.file("assets/models", "labels", LABELS.replace(", {range: {weight: {max: 10}}}", ""))
    desk.file("quality/rules", "heavy", HEAVY)
    desk.publish()


def seen(desk: Desk) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return what readers have: the stream, which Postgres shows with its load, and the model."""
    rows_of = desk.tally.query("SELECT weight FROM tally.fed WHERE _deleted_at IS NULL")
    of_loads = [] if is_server(desk.tally.warehouse_url) else rows_of
    return of_loads, desk.tally.query("SELECT weight FROM analytics.labels")


@pytest.mark.parametrize("finished", [True, False])
def test_what_one_process_withholds_no_other_publishes(desk: Desk, finished: bool) -> None:
    judged_by_a_rule(desk)
    before = seen(desk)
    desk.load(rows("fed", row(1, "one", weight=2.0)))
    refreshed = desk.refresh()  # A has judged what is there, and is about to publish
    assert refreshed is not None
    assert not refreshed.blocks
    desk.load(rows("fed", row(1, "one", weight=500.0)))  # B loads, and is killed, or judges and withholds
    if finished:
        assert desk.publish()[1].withheld is not None
    publish(desk.store, desk.warehouse, refreshed)
    assert (current_publications(desk.store).withheld is not None) is finished
    if not is_server(desk.tally.warehouse_url):
        assert seen(desk) == before
    else:
        assert seen(desk)[1] == [(2.0,)], "the models of A were committed with its verdict"
    desk.load(rows("fed", row(1, "one", weight=3.0)))
    assert desk.publish()[1].withheld is None
    assert seen(desk)[1] == [(3.0,)]


def test_a_load_between_models_and_rules_is_judged_as_well(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.declare()
    desk = Desk(tally, open_control(f"sqlite:///{tally.folder / 'control.db'}"))
    desk.file("assets/models", "labels", LABELS)
    desk.load(rows("fed", row(1, "one", weight=1.0)))
    desk.file("quality/rules", "heavy", HEAVY)
    judged_by_a_rule(desk)
    desk.load(rows("fed", row(1, "one", weight=2.0)))
    warehouse, opened = desk.warehouse, []

    class Between(type(warehouse)):  # type: ignore[misc]
        """Another process applies a load as soon as the models are built."""

        def transaction(self, *schemas: str, **how: Any) -> Any:
            opened.append(1)
            if len(opened) == 2:
                desk.load(rows("fed", row(1, "one", weight=500.0)))
            return super().transaction(*schemas, **how)

    refreshed = refresh(tally.project, Between(warehouse.state), load_declarations(tally.project))
    assert refreshed is not None
    assert refreshed.blocks, "the rule has seen the load that came in between"
    publish(desk.store, warehouse, refreshed)
    assert seen(desk) == ([(1.0,)], [(1.0,)])


def test_an_acknowledgement_publishes_nothing_that_is_not_judged(desk: Desk) -> None:
    from leat.pipelines.load.verdict import may_be_published

    desk.load(rows("fed", row(1, "one", weight=2.0)))
    assert publish_version(desk.warehouse, may_be_published) is False
    with desk.warehouse.snapshot() as session:
        assert not may_be_published(session)
    desk.publish()
    with desk.warehouse.snapshot() as session:
        assert may_be_published(session)


def test_marks_of_a_clock_that_was_ahead_count_as_unknown(desk: Desk) -> None:
    declarations = load_declarations(desk.tally.project)
    assert desk.refresh() is None
    with desk.warehouse.transaction() as session:
        session.execute("UPDATE leat.refreshed SET checked_at = checked_at + INTERVAL '400 days'")
    assert desk.refresh() is not None, "rules are looked at again"
    assert desk.refresh() is None
    now = datetime.now(UTC)
    fresh = {name: replace_fresh(declared) for name, declared in declarations.items()}
    assert stale_streams(fresh, {"tally": now}, now) == {}
    assert "in the future" in stale_streams(fresh, {"tally": now + timedelta(days=400)}, now)["tally", "fed"]
    assert stale_streams(fresh, {"tally": now + timedelta(minutes=1)}, now) == {}, "clocks differ a little"


def replace_fresh(declared: Any) -> Any:
    options = {
        **declared.streams,
        "fed": declared.options("fed").model_copy(update={"fresh_within": timedelta(hours=1)}),
    }
    return declared.model_copy(update={"streams": options})


BY_FUNCTION = """/* ---
description: How many there are.
--- */
SELECT count(*) AS n, max(label) AS label FROM tally.fed_as_of(now())
"""


def test_a_model_that_reads_the_past_of_a_table_follows_the_table(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    desk = Desk(tally, open_control(f"sqlite:///{tally.folder / 'control.db'}"))
    desk.file("assets/models", "counted", BY_FUNCTION)
    desk.file("assets/models", "again", BY_FUNCTION.replace("tally.fed_as_of(now())", "tally.fed"))
    for number in (1, 2):
        desk.load(rows("fed", row(number, f"{number}")))
        refreshed, _ = desk.publish()
        assert refreshed is not None
        assert refreshed.errors == ()
        assert tally.query("SELECT * FROM analytics.counted") == tally.query("SELECT * FROM analytics.again")
    (_, model) = load_models(tally.project, load_declarations(tally.project))
    assert (model.name, [str(table) for table in model.inputs]) == ("counted", ["tally.fed"])
    assert model.lineage["label"] == (("tally.fed", "label"),) or list(model.lineage["label"]) == [
        ("tally.fed", "label")
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("tally.fedd_as_of(now())", "tests/q.sql:4: no table 'tally.fedd'; did you mean"),
        ("tally.scanned_as_of(now())", "q.sql:4: tally.scanned has no past. Next: declare `scanned: {history: true}`"),
        ("read_csv('/etc/passwd')", "q.sql:4: READ_CSV('/etc/passwd') isn't a table"),
        ("read_parquet('x.parquet')", "isn't a table, and nothing says when it changes. Next: "),
        ("duckdb_settings()", "isn't a table"),
        ("glob('*')", "isn't a table"),
    ],
)
def test_a_table_function_is_a_table_or_refused(tmp_path: Path, table: str, said: str) -> None:
    tally = Tally(tmp_path)
    tally.declare("{fed: {history: true}}")
    folder = tmp_path / "assets" / "models"
    folder.mkdir(parents=True)
    (folder / "q.sql").write_text(f"/* ---\ndescription: d\n--- */\nSELECT 1 AS n FROM {table} AS f\n")
    with pytest.raises(DeclarationError) as caught:
        load_models(tally.project, load_declarations(tally.project))
    assert said.removeprefix("tests/") in str(caught.value)
