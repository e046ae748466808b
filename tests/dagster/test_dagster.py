"""Dagster over the same engine: what it shows, what a run does, and that the command line's runs are shown as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy import create_engine

from leat.assets.model_files import load_models
from leat.dagster_project.assembled import definitions
from leat.dagster_project.compiled import VIOLATIONS, Compiled, compile_folder
from leat.dagster_project.instance import prepare_instance
from leat.dagster_project.report import report
from leat.pipelines.declare.project import load_declarations, open_project
from leat.pipelines.load.engine import Request
from leat.pipelines.load.run import run_integration
from leat.quality.rule_files import load_rules
from leat.runs.refresh import refresh
from leat.runs.workspace import Workspace
from tests.kit.project import Tally, full_scan, row, rows

REPOSITORY = Path(__file__).parents[2]
CHECKS = "{fed: {fresh_within: PT1H, mask: [label], checks: [{not_null: weight}]}, kept: {history: true}}"
SHELVES = """\
/* ---
description: How much stands on each shelf.
owners: [library, ann@example.com]
columns: {shelf: Where it is.}
checks: [{unique: shelf}]
--- */
SELECT shelf, COUNT(*) AS things, MAX(label) AS a_label FROM tally.kept WHERE _deleted_at IS NULL GROUP BY shelf
"""
FULL = """\
/* ---
title: No shelf is full
next_step: Look.
severity: error
key: shelf
--- */
SELECT shelf, things FROM analytics.shelves WHERE things > 2
"""
FED, LASTING, SCANNED = (dg.AssetKey(["tally", name]) for name in ("fed", "kept", "scanned"))
MODEL = dg.AssetKey(["analytics", "shelves"])


@dataclass(frozen=True)
class Shown:
    """A project, its definitions and an instance without a disk."""

    tally: Tally
    instance: dg.DagsterInstance

    def compiled(self) -> Compiled:
        project = replace(self.tally.project, control_url=f"sqlite:///{self.tally.folder / 'control.db'}")
        return Compiled(Workspace(project, offline=True), retry_waits=(0, 0))

    def defs(self) -> dg.Definitions:
        return definitions(self.compiled())

    def run(self, *keys: dg.AssetKey, defs: dg.Definitions | None = None, **config: Any) -> dg.ExecuteInProcessResult:
        """Run the job of the integration, or some of its assets; by definitions loaded earlier, or now."""
        return (
            (defs or self.defs())
            .resolve_job_def("tally_job")
            .execute_in_process(
                instance=self.instance,
                raise_on_error=False,
                asset_selection=list(keys) or None,
                run_config={"ops": {"load_tally": {"config": config}}} if config else None,
            )
        )

    def latest(self, key: dg.AssetKey) -> dg.AssetMaterialization:
        event = self.instance.get_latest_materialization_event(key)
        assert event is not None and event.asset_materialization is not None
        return event.asset_materialization

    def version(self, key: dg.AssetKey) -> str:
        return (self.latest(key).tags or {})["dagster/data_version"]

    def stale(self, key: dg.AssetKey) -> list[str]:
        from dagster._core.definitions.data_version import CachingStaleStatusResolver
        from dagster._core.instance.types import CachingDynamicPartitionsLoader  # noqa: F401 - loads what it needs
        from dagster._core.loader import LoadingContextForTest

        graph = self.defs().resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return [cause.reason for cause in resolver.get_stale_causes(key)]


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    tally = Tally(tmp_path)
    tally.declare(CHECKS)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Shown(tally, instance)


@pytest.fixture
def modelled(shown: Shown) -> Shown:
    for folder, name, text in (("assets/models", "shelves.sql", SHELVES), ("quality/rules", "full.sql", FULL)):
        path = shown.tally.folder / folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return shown


def values(metadata: Any) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = result.get_step_failure_events()
    data = event.step_failure_data.user_failure_data
    return str(data.description) if data and data.description else str(event.step_failure_data.error)


def test_a_run_loads_checks_and_publishes(shown: Shown) -> None:
    shown.tally.then(rows("fed", row(1, "one", weight=1.0), row(2, "two", weight=2.0)), rows("kept", row(1, "one")))
    result = shown.run()
    assert result.success
    assert shown.tally.query("SELECT count(*) FROM tally.fed") == [(2,)]
    actual = values(shown.latest(FED).metadata)
    assert {name: actual[name] for name in ("dagster/row_count", "inserted", "updated", "deleted", "quarantined")} == {
        "dagster/row_count": 2,
        "inserted": 2,
        "updated": 0,
        "deleted": 0,
        "quarantined": 0,
    }
    assert actual["load"] == shown.version(FED)
    assert shown.version(SCANNED) == "empty"
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations() if e.asset_key == FED}
    assert set(evaluations) == {"key_not_null", "key_unique", "not_null_weight"}
    assert all(evaluation.passed for evaluation in evaluations.values())


def test_nothing_new_leaves_data_versions_and_freshness(shown: Shown) -> None:
    shown.tally.then(rows("fed", row(1, weight=1.0)))
    shown.run()
    first = shown.version(FED), shown.version(LASTING)
    again = shown.run()
    assert again.success
    assert {e.check_name for e in again.get_asset_check_evaluations() if e.passed and e.asset_key == FED} == {
        "key_not_null",
        "key_unique",
        "not_null_weight",
    }
    assert (shown.version(FED), shown.version(LASTING)) == first
    assert len(shown.instance.fetch_materializations(FED, limit=10).records) == 2
    shown.tally.then(rows("kept", row(1)))
    shown.run()
    assert shown.version(FED) == first[0]
    assert shown.version(LASTING) > first[0]


def test_one_stream_selected_loads_all_and_reports_all(shown: Shown) -> None:
    shown.tally.then(rows("fed", row(1, weight=1.0)), rows("kept", row(1)))
    assert shown.run(LASTING).success
    assert values(shown.latest(FED).metadata)["inserted"] == 1
    assert shown.tally.query("SELECT count(*) FROM tally.fed") == [(1,)]


def test_a_permanent_error_fails_at_once_and_says_why(shown: Shown) -> None:
    shown.tally.then({"do": "fail", "transient": False})
    result = shown.run()
    assert not result.success
    assert failure(result) == "tally: reading the script: told to fail. Next: take the step out"
    assert not [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_a_transient_error_is_tried_again(shown: Shown) -> None:
    shown.tally.then({"do": "fail", "transient": True})
    result = shown.run()
    assert not result.success
    assert len([event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]) == 2
    assert "told to fail" in str(result.get_step_failure_events())


def test_an_integration_that_runs_elsewhere_is_tried_again(shown: Shown) -> None:
    with shown.tally.engine().warehouse.exclusive("tally"):
        result = shown.run()
    assert [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]


def test_a_failed_check_blocks_the_load_and_is_shown_with_evidence(shown: Shown) -> None:
    shown.tally.then(rows("fed", row(1, weight=1.0)))
    shown.run()
    shown.tally.then(rows("fed", row(2, weight=None)))
    result = shown.run()
    assert not result.success
    assert "not_null_weight" in failure(result)
    [broken] = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert (broken.check_name, broken.severity, broken.blocking) == (
        "not_null_weight",
        dg.AssetCheckSeverity.ERROR,
        True,
    )
    assert values(broken.metadata)["failing rows"] == 1
    assert broken.metadata["evidence"].records[0].data["id"] == "2"  # type: ignore[union-attr]
    assert shown.tally.query("SELECT count(*) FROM tally.fed") == [(1,)]


def test_checks_alone_run_on_the_tables_as_they_are(modelled: Shown) -> None:
    modelled.tally.then(rows("fed", row(1, weight=1.0)), rows("kept", row(1)))
    engine = modelled.tally.engine()
    run_integration(engine, "tally", Request())
    refresh(modelled.compiled().workspace.project, engine.warehouse, engine.declarations)
    modelled.tally.then(rows("fed", row(2, weight=None)))
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions.merge(modelled.defs(), dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("checks").execute_in_process(instance=modelled.instance)
    actual = {(e.asset_key.path[-1], e.check_name) for e in result.get_asset_check_evaluations() if e.passed}
    assert actual >= {("fed", "not_null_weight"), ("shelves", "unique_shelf"), ("violations", "full")}
    assert modelled.instance.get_latest_materialization_event(FED) is None


def test_a_check_that_blocked_is_tried_again_when_nothing_is_new(shown: Shown) -> None:
    shown.tally.then(rows("fed", row(1, weight=1.0)))
    shown.run()
    script = shown.tally.script.read_text()
    shown.tally.then(rows("fed", row(2, weight=None)))
    assert not shown.run().success
    shown.tally.script.write_text(script)
    result = shown.run()
    assert result.success
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_models_and_rules_follow_and_show_lineage(modelled: Shown) -> None:
    modelled.tally.then(rows("kept", row(1, "one"), row(2, "two")))
    assert modelled.run().success
    assert modelled.tally.query("SELECT shelf, things FROM analytics.shelves") == [("a", 2)]
    metadata = modelled.latest(MODEL).metadata
    lineage = metadata["dagster/column_lineage"].value
    assert lineage.deps_by_column["shelf"] == [dg.TableColumnDep(LASTING, "shelf")]  # type: ignore[union-attr]
    columns = {c.name: c for c in metadata["dagster/column_schema"].schema.columns}  # type: ignore[union-attr]
    assert (columns["things"].type, columns["shelf"].description) == ("integer", "Where it is.")
    assert "personal_data" in columns["a_label"].tags
    assert modelled.version(VIOLATIONS)
    before = modelled.version(MODEL), modelled.version(VIOLATIONS)
    again = modelled.run()
    assert again.success
    assert {e.check_name for e in again.get_asset_check_evaluations()} >= {"unique_shelf", "full", "key_unique"}
    assert (modelled.version(MODEL), modelled.version(VIOLATIONS)) == before


def test_a_broken_rule_leaves_readers_on_the_old_version(modelled: Shown) -> None:
    modelled.tally.then(rows("kept", row(1), row(2)))
    modelled.run()
    modelled.tally.then(rows("kept", row(3)))
    for selected in ((), (LASTING,)):  # with models and rules in the run, and without
        result = modelled.run(*selected)
        assert not result.success
        assert failure(result).startswith("readers stay on the old version since ")
        assert "UTC: full (No shelf is full: 1 violation). Next: correct the data" in failure(result)
        assert modelled.tally.query("SELECT count(*) FROM tally.kept") == [(2,)]
    assert values(modelled.latest(VIOLATIONS).metadata)["open violations"] == 1


def test_a_stream_that_fails_is_no_materialization_and_the_others_are_published(modelled: Shown) -> None:
    modelled.tally.then({"do": "failed", "stream": "fed"}, rows("kept", row(1)))
    result = modelled.run()
    assert not result.success
    assert "take the step out" in failure(result)
    assert modelled.instance.get_latest_materialization_event(FED) is None
    assert modelled.latest(LASTING)
    assert modelled.tally.query("SELECT things FROM analytics.shelves") == [(1,)]


def test_models_that_only_a_load_was_selected_for_are_reported(modelled: Shown) -> None:
    modelled.tally.then(rows("kept", row(1)))
    assert modelled.run(LASTING).success
    assert modelled.tally.query("SELECT things FROM analytics.shelves") == [(1,)]
    assert values(modelled.latest(MODEL).metadata)["dagster/row_count"] == 1
    assert modelled.stale(MODEL) == []
    assert modelled.run(LASTING).success
    assert len(modelled.instance.fetch_materializations(MODEL, limit=10).records) == 1  # nothing happened to it


def test_deletes_can_be_allowed_for_one_run(shown: Shown) -> None:
    shown.tally.then(rows("scanned", *(row(i) for i in range(100))), full_scan("scanned"))
    shown.run()
    shown.tally.then(rows("scanned", row(1)), full_scan("scanned"))
    assert not shown.run().success
    assert shown.run(allow_deletes=True).success
    assert shown.tally.query("SELECT count(*) FROM tally.scanned WHERE _deleted_at IS NULL") == [(1,)]


def test_all_rows_of_all_models_can_be_built_again(modelled: Shown) -> None:
    modelled.tally.then(rows("kept", row(1)))
    assert modelled.run().success
    job, built = modelled.defs().resolve_job_def("tally_job"), "SELECT built_at FROM leat.models"
    times = [modelled.tally.query(built)]
    for full_refresh in (False, True):
        config = {"ops": {"models_and_rules": {"config": {"full_refresh": full_refresh}}}}
        done = job.execute_in_process(instance=modelled.instance, asset_selection=[MODEL], run_config=config)
        assert done.success
        times.append(modelled.tally.query(built))
    assert times[0] == times[1] < times[2]


def test_runs_are_recorded_as_dagsters(shown: Shown) -> None:
    from leat.control.store import open_control, recent_runs

    shown.tally.then({"do": "calls", "count": 2, "path": "/v1/things"})
    done = shown.run()
    store = open_control(shown.compiled().workspace.project.control_url)
    try:
        (run,) = recent_runs(store)
        assert (run.trigger, run.status, run.dagster_run) == ("dagster", "nothing_new", done.run_id)
        with store.connect() as connection:
            calls = connection.exec_driver_sql("SELECT run_id, path FROM api_call").all()
        assert calls == [(run.id, "/v1/things")] * 2
    finally:
        store.dispose()


def test_overrides_of_the_control_store_hold_for_runs_and_definitions(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leat.control.store import open_control, set_override

    shown.tally.then(rows("fed", row(1, weight=1.0)))
    shown.run()
    url = shown.compiled().workspace.project.control_url
    loaded = shown.defs()
    store = open_control(url)
    try:
        set_override(store, "tally", "streams.scanned.selected", "false")
        set_override(store, "tally", "schedule", "0 4 * * *")
        set_override(store, "tally", "zone", "Europe/Berlin")
    finally:
        store.dispose()
    assert shown.run(SCANNED, FED, defs=loaded).success
    assert len(shown.instance.fetch_materializations(SCANNED, limit=10).records) == 1
    monkeypatch.setenv("LEAT_CONTROL", url)
    defs = definitions(compile_folder(shown.tally.folder))
    schedule = defs.resolve_schedule_def("tally_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 4 * * *", "Europe/Berlin")
    assert SCANNED not in defs.resolve_asset_graph().get_all_asset_keys()


def test_what_definitions_say_of_a_table(modelled: Shown) -> None:
    graph = modelled.defs().resolve_asset_graph()
    fed = graph.get(FED)
    columns = {column.name: column for column in fed.metadata["dagster/column_schema"].columns}
    assert (columns["label"].tags, columns["label"].type) == ({"personal_data": "masked"}, "string")
    assert columns["_deleted_at"].type == "timestamp"
    assert fed.freshness_policy is not None
    assert fed.freshness_policy.fail_window.to_timedelta().total_seconds() == 3600
    assert graph.get(LASTING).metadata["history"] == "tally.kept_history"
    assert fed.metadata["key"] == "shelf, id"
    model = graph.get(MODEL)
    assert (list(model.owners), model.parent_keys) == (["team:library", "ann@example.com"], {LASTING})
    assert graph.get(VIOLATIONS).parent_keys == {MODEL}


def test_the_code_version_changes_with_the_declaration_and_the_driver(shown: Shown) -> None:
    before = shown.defs().resolve_asset_graph().get(FED).code_version
    assert before is not None and before.startswith("1.1.")
    path = shown.tally.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + "version: 2\n")
    assert shown.defs().resolve_asset_graph().get(FED).code_version == f"2.{before[2:]}"


def test_schedules_run_as_declared_and_let_a_tick_pass(shown: Shown) -> None:
    path = shown.tally.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + 'schedule: "*/15 * * * *"\n')
    defs = shown.defs()
    schedule = defs.resolve_schedule_def("tally_schedule")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    job = defs.resolve_job_def("tally_job")
    assert job.tags["dagster/max_runtime"] == "21600"
    with dg.DagsterInstance.local_temp(str(shown.tally.folder)) as instance:
        context = dg.build_schedule_context(instance=instance, repository_def=defs.get_repository_def())
        assert len(schedule.evaluate_tick(context).run_requests or []) == 1
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "still in progress" in str(schedule.evaluate_tick(context).skip_message)
    path.write_text(path.read_text() + "enabled: false\n")
    stopped = shown.defs().resolve_schedule_def("tally_schedule")
    assert stopped.default_status is dg.DefaultScheduleStatus.STOPPED


def test_the_instance_shows_what_the_command_line_did(modelled: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    compiled = modelled.compiled()
    home = prepare_instance(compiled.workspace.project)
    modelled.tally.then(rows("fed", row(1, weight=1.0)), rows("kept", row(1)))
    engine = modelled.tally.engine()
    result = run_integration(engine, "tally", Request())
    refreshed = refresh(compiled.workspace.project, engine.warehouse, engine.declarations)
    report(compiled.workspace, [result], refreshed)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        with_instance = replace(modelled, instance=instance)
        assert with_instance.version(FED) == result.load_id
        assert values(with_instance.latest(LASTING).metadata)["inserted"] == 1
        assert with_instance.stale(MODEL) == with_instance.stale(VIOLATIONS) == with_instance.stale(FED) == []
        checks = modelled.defs().resolve_asset_graph().asset_check_keys
        full = dg.AssetCheckKey(VIOLATIONS, "full")
        assert full in checks
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([full])
        assert latest[full].status.value == "SUCCEEDED"
        versions = {key: with_instance.version(key) for key in (FED, LASTING, MODEL, VIOLATIONS)}
        assert with_instance.run().success
        assert {key: with_instance.version(key) for key in versions} == versions


def test_what_did_not_change_is_not_recorded_again(modelled: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    compiled = modelled.compiled()
    home = prepare_instance(compiled.workspace.project)
    engine = modelled.tally.engine()
    connections: list[str] = []
    monkeypatch.setattr(
        sqlite_event_log, "create_engine", lambda url, **more: connections.append(url) or create_engine(url, **more)
    )

    def recorded(*batches: Any) -> tuple[set[dg.AssetKey], set[str]]:
        """Load, refresh and report; return the tables and the checks that were recorded."""
        modelled.tally.then(*batches)
        result = run_integration(engine, "tally", Request())
        refreshed = refresh(compiled.workspace.project, engine.warehouse, engine.declarations)
        connections.clear()
        with dg.DagsterInstance.from_config(str(home)) as instance:
            before = instance.event_log_storage.get_maximum_record_id() or 0
            report(compiled.workspace, [result], refreshed)
            entries = instance.event_log_storage.get_logs_for_run("")
        assert len(connections) < 30, "connections grow with what is recorded"
        events = [entry.dagster_event for entry in entries[before:] if entry.dagster_event]
        tables = {event.asset_key for event in events if event.is_step_materialization and event.asset_key}
        checks = [e for e in events if e.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION]
        return tables, {event.asset_check_evaluation_data.check_name for event in checks}

    tables, checks = recorded(rows("fed", row(1, weight=1.0)), rows("kept", row(1)))
    assert {FED, LASTING, MODEL, VIOLATIONS} <= tables
    assert {"full", "unique_shelf"} <= checks

    tables, checks = recorded(rows("fed", row(2, weight=1.0)))
    assert tables == {FED, VIOLATIONS}
    assert "unique_shelf" not in checks

    tables, checks = recorded(rows("kept", row(2), row(3)))
    assert {FED, LASTING, MODEL, VIOLATIONS} == tables, "of fed, Dagster says how old it is"
    assert {"full", "unique_shelf"} <= checks
    with dg.DagsterInstance.from_config(str(home)) as instance:
        shown = replace(modelled, instance=instance)
        assert shown.stale(MODEL) == shown.stale(VIOLATIONS) == []


def test_a_report_that_fails_is_only_logged(
    modelled: Shown, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(modelled.tally.folder / "nowhere"))
    report(modelled.compiled().workspace, [], None)
    assert "wasn't reported" in caplog.text


def test_a_secret_stays_out_of_a_runs_log(shown: Shown, capfd: pytest.CaptureFixture[str]) -> None:
    from leat.sources.settings import Named, read_secret

    path = shown.tally.folder / "token"
    path.write_text("hunter2-hunter2")
    read_secret(Named(file=str(path)), "tally")
    shown.tally.then({"do": "rows", "stream": "hunter2-hunter2", "rows": []})
    result = shown.run()
    assert not result.success
    assert "hunter2" not in str(result.all_events)
    logged = shown.instance.all_logs(result.run_id)
    assert "hunter2" not in str(logged)
    assert "hunter2" not in "".join(capfd.readouterr())


LOADED = """
import sys
from leat.dagster_project.definitions import defs
defs.resolve_asset_graph()
heavy = {"dlt", "great_expectations", "pandas", "pyarrow", "duckdb", "psycopg2", "sqlalchemy", "caldav"}
print(sorted(heavy & set(sys.modules)))
"""


def test_definitions_load_in_an_empty_environment_without_heavy_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=REPOSITORY, env={}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state folder with the parsed models and rules of this project, which take seconds to parse."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAT_HOME", str(home))
        project = open_project(REPOSITORY)
    declarations = load_declarations(project)
    models = load_models(project, declarations, cache=True)
    load_rules(project, declarations, tuple(model.name for model in models), cache=True)
    return home


@pytest.mark.parametrize("command", [["list", "defs", "--json"], ["check", "defs"]])
def test_dg_works_at_the_root_of_the_repository(command: list[str], home: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DAGSTER_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment["LEAT_HOME"] = str(home)
    program = [str(Path(sys.executable).with_name("dg")), *command]
    done = subprocess.run(program, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if command[0] == "list":
        actual = json.loads(done.stdout)
        assert {asset["asset_key"] for asset in actual["assets"]} >= {"calendar/events", "analytics/meeting_load"}


GRAPH = Path(__file__).with_name("graph_of_this_project.json")
"""What each model, and the ledger of the rules, is made of."""


def test_the_graph_of_this_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAT_HOME", str(home))
    graph = definitions(compile_folder(REPOSITORY)).resolve_asset_graph()
    parents = {
        key.to_user_string(): sorted(p.to_user_string() for p in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    actual = {name: of for name, of in sorted(parents.items()) if of}
    assert actual == json.loads(GRAPH.read_text(encoding="utf-8")), "if that is meant, write it to the file"
