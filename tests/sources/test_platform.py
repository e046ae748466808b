"""What is peculiar to the integration of leat's own control store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, create_engine, text

from leat.control.action_history import Decision, note_decision
from leat.control.action_moves import move
from leat.control.automations import RunRow, record_automation_run
from leat.control.calls import RETENTION
from leat.control.engine import find_integration, writing
from leat.control.outbox import ALERTS, NewAction, add_actions
from leat.control.store import (
    Declared,
    end_run,
    log_events,
    open_control,
    record_calls,
    register,
    set_override,
    start_run,
)
from leat.control.tables import IntegrationLog
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine as PipelineEngine
from leat.pipelines.load.engine import Request
from leat.pipelines.load.run import run_integrations
from leat.runs.recorder import Recorder
from leat.runs.recorder import register as register_declarations
from leat.sources.driver import Sync, add_sources
from leat.sources.errors import Forbidden, IntegrationError, NotConfigured, NotFound, Unavailable, UnexpectedShape
from leat.sources.events import Cursor, Event, FullScan, Rows
from leat.sources.platform.sql.driver import Connection, extract, setup_tests
from leat.sources.platform.streams import STREAMS
from leat.sources.settings import redact
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from tests.kit.project import SOURCES

ALL = frozenset(stream.name for stream in STREAMS)
DECLARED = {
    "payments": Declared("payments", "Charges.", "stripe", "Our shop"),
    "history": Declared("platform", "The control store.", "sql", ""),
}


@pytest.fixture(params=["sqlite", "postgres"])
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = f"sqlite:///{tmp_path / 'control.db'}"
    engine = open_control(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    register(engine, DECLARED)
    yield engine
    engine.dispose()


def read(
    control: Engine, cursor: Mapping[str, Any] | None = None, now: datetime | None = None, streams: frozenset[str] = ALL
) -> list[Event]:
    url = control.url.render_as_string(hide_password=False)
    connection = Connection.model_construct(url=url)  # a test may write its password, a declaration may not
    sync = Sync("history", streams, cursor, Path(), Path(), now or datetime.now(UTC))
    return list(extract(connection, sync))


def rows(events: list[Event], stream: str) -> list[dict[str, Any]]:
    return [row for e in events if isinstance(e, Rows) and e.stream == stream for row in e.table.to_pylist()]


def cursor_of(events: list[Event]) -> Mapping[str, Any]:
    assert isinstance(events[-1], Cursor)
    return events[-1].value


def run(control: Engine, integration: str, status: Any = "loaded") -> str:
    run_id = start_run(control, integration, "cli", holds_lock=True)
    end_run(control, run_id, status)
    return run_id


def test_everything_is_delivered_once(control: Engine) -> None:
    run_id = run(control, "payments")
    log_events(control, "payments", [("sync_token_expired", {"calendar": "a"})])
    set_override(control, "payments", "enabled", "false")

    events = read(control)
    assert {row["name"]: row["integration_system"] for row in rows(events, "integrations")} == {
        "payments": "payments",
        "history": "platform",
    }
    assert [row["name"] for row in rows(events, "integration_systems")] == ["payments", "platform"]
    (config,) = rows(events, "integration_configs")
    assert (config["integration"], config["key"], config["value"]) == ("payments", "enabled", "false")
    (log,) = rows(events, "integration_logs")
    assert (log["event_data"], log["created_at"].utcoffset()) == ('{"calendar":"a"}', timedelta(0))
    (row,) = rows(events, "runs")
    assert (row["id"], row["integration"], row["status"], row["extra"]) == (run_id, "payments", "loaded", None)
    assert datetime.now(UTC) - row["ended_at"] < timedelta(minutes=1)
    assert {e.stream for e in events if isinstance(e, FullScan)} == {
        stream.name for stream in STREAMS if stream.deletes == "full_scan"
    }
    assert read(control, cursor_of(events)) == []


def test_an_empty_store_is_read(tmp_path: Path) -> None:
    engine = open_control(f"sqlite:///{tmp_path / 'control.db'}")
    events = read(engine)
    assert [type(e) for e in events] == [FullScan, FullScan, FullScan, Cursor]
    assert read(engine, cursor_of(events)) == []
    engine.dispose()


def test_quiet_rows_wait_for_the_next_news(control: Engine) -> None:
    cursor = cursor_of(read(control))
    quiet = {run(control, "payments", "nothing_new"), run(control, "history", "loaded")}
    log_events(control, "history", [("something", {})])
    current = start_run(control, "history", "cli", holds_lock=True)
    assert read(control, cursor) == []

    failed = run(control, "payments", "failed")
    events = read(control, cursor)
    assert {row["id"] for row in rows(events, "runs")} == quiet | {failed}
    assert len(rows(events, "integration_logs")) == 1
    assert rows(events, "integrations") == []

    end_run(control, current, "loaded")
    assert read(control, cursor_of(events)) == []


def test_a_run_is_delivered_when_it_has_ended(control: Engine) -> None:
    run_id = start_run(control, "payments", "cli", holds_lock=True)
    events = read(control)
    assert rows(events, "runs") == []
    end_run(control, run_id, "loaded")
    assert [row["id"] for row in rows(read(control, cursor_of(events)), "runs")] == [run_id]


def call(path: str = "/v1/charges/{id}", **more: Any) -> dict[str, Any]:
    asked = {"called_at": datetime.now(UTC), "host": "api.shop.example", "method": "GET", "path": path, "status": 200}
    return {**asked, "attempt": 1, "milliseconds": 12.5, "received_bytes": 2048, **more}


def test_calls_come_with_the_run_that_sent_them(control: Engine) -> None:
    run_id = start_run(control, "payments", "cli", holds_lock=True)
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    record_calls(control, run_id, [call(rate_limit=100, rate_remaining=7, sunset_at=ends), call(status=None)])
    before = read(control)
    assert rows(before, "api_calls") == []

    record_calls(control, run_id, [call("/v1/refunds", error="RateLimited", status=429)])
    end_run(control, run_id, "failed")
    events = read(control, cursor_of(before))
    actual = rows(events, "api_calls")
    assert [row["path"] for row in actual] == ["/v1/charges/{id}", "/v1/charges/{id}", "/v1/refunds"]
    assert {(row["run_id"], row["integration"]) for row in actual} == {(run_id, "payments")}
    assert (actual[0]["rate_limit"], actual[0]["rate_remaining"], actual[0]["sunset_at"]) == (100, 7, ends)
    assert [row["status"] for row in actual] == [200, None, 429]
    assert read(control, cursor_of(events)) == []


def test_calls_alone_are_no_news(control: Engine) -> None:
    cursor = cursor_of(read(control))
    for integration, status in (("payments", "nothing_new"), ("history", "loaded")):
        run_id = start_run(control, integration, "cli", holds_lock=True)
        record_calls(control, run_id, [call()])
        end_run(control, run_id, status)  # type: ignore[arg-type]
    assert read(control, cursor) == []
    assert read(control, cursor, streams=frozenset({"api_calls"})) == []

    run(control, "payments", "failed")
    events = read(control, cursor)
    assert len(rows(events, "api_calls")) == 2
    assert len(rows(read(control, cursor, streams=frozenset({"api_calls"})), "api_calls")) == 2
    assert read(control, cursor_of(events)) == []


def test_calls_that_the_store_forgets_are_no_deletes(control: Engine) -> None:
    old = start_run(control, "payments", "cli", holds_lock=True)
    record_calls(control, old, [call(called_at=datetime.now(UTC) - RETENTION - timedelta(seconds=1))])  # gone at once
    record_calls(control, old, [call(called_at=datetime.now(UTC) - RETENTION + timedelta(hours=1))])
    end_run(control, old, "loaded")
    first = read(control)
    (row,) = rows(first, "api_calls")
    with writing(control) as session:
        session.execute(text("DELETE FROM api_call"))
    run_id = start_run(control, "payments", "cli", holds_lock=True)
    record_calls(control, run_id, [call()])
    end_run(control, run_id, "loaded")
    second = read(control, cursor_of(first))
    assert [type(e) for e in second if not isinstance(e, Rows)] == [Cursor]
    (new,) = rows(second, "api_calls")
    assert new["id"] > row["id"], "a number that is used again would overwrite a row of the warehouse"


def test_many_calls_leave_the_cursor_small(control: Engine) -> None:
    cursor = cursor_of(read(control))
    for _ in range(3):
        run_id = start_run(control, "payments", "cli", holds_lock=True)
        for _ in range(3):
            record_calls(control, run_id, [call()] * 1000)
        end_run(control, run_id, "loaded")
    events = read(control, cursor)
    assert len(rows(events, "api_calls")) == 9000
    assert len(cursor_of(events)["api_calls"]["seen"]) == 3


def test_a_removed_row_is_noticed(control: Engine) -> None:
    set_override(control, "payments", "enabled", "false")
    events = read(control)
    set_override(control, "payments", "enabled", None)
    changed = read(control, cursor_of(events))
    assert [type(e) for e in changed] == [FullScan, Cursor]
    assert changed[0] == FullScan("integration_configs")


def test_a_row_that_was_committed_late_is_not_missed(control: Engine) -> None:
    now = datetime.now(UTC)
    _log(control, "on_time", now)
    events = read(control, now=now)
    _log(control, "same_instant", now)
    _log(control, "late", now - timedelta(minutes=9))
    late = read(control, cursor_of(events), now + timedelta(minutes=1))
    assert [row["event_type"] for row in rows(late, "integration_logs")] == ["same_instant", "late"]

    much_later = now + timedelta(days=1)
    _log(control, "next_day", much_later)
    next_day = read(control, cursor_of(late), much_later)
    assert [row["event_type"] for row in rows(next_day, "integration_logs")] == ["next_day"]
    assert len(cursor_of(next_day)["integration_logs"]["seen"]) == 1  # it doesn't grow with the log


def test_a_clock_that_was_set_back_loses_and_repeats_nothing(control: Engine) -> None:
    now = datetime.now(UTC)
    _log(control, "first", now)
    events = read(control, now=now)
    _log(control, "second", now + timedelta(seconds=1))
    again = read(control, cursor_of(events), now - timedelta(days=1))
    assert [row["event_type"] for row in rows(again, "integration_logs")] == ["second"]
    assert read(control, cursor_of(again), now) == []


def _log(control: Engine, event_type: str, created_at: datetime) -> None:
    with writing(control) as session:
        owner = find_integration(session, "payments").id
        session.add(IntegrationLog(integration_id=owner, event_type=event_type, event_data={}, created_at=created_at))


def test_a_stream_that_is_selected_later_is_read_from_its_start(control: Engine) -> None:
    run_id = run(control, "payments")
    events = read(control, streams=frozenset({"integrations"}))
    assert {e.stream for e in events if isinstance(e, Rows)} == {"integrations"}
    more = read(control, cursor_of(events), streams=frozenset({"integrations", "runs"}))
    assert [row["id"] for row in rows(more, "runs")] == [run_id]
    assert rows(more, "integrations") == []


def test_without_a_url_it_is_the_projects_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEAT_CONTROL", raising=False)
    monkeypatch.delenv("LEAT_HOME", raising=False)
    monkeypatch.delenv("LEAT_PROFILE", raising=False)
    open_control(f"sqlite:///{tmp_path / '.leat' / 'control.db'}").dispose()
    assert _readable(Connection(), tmp_path)
    assert not _readable(Connection(), tmp_path / "elsewhere")
    monkeypatch.setenv("LEAT_PROFILE", "dev")
    assert not _readable(Connection(), tmp_path)
    open_control(f"sqlite:///{tmp_path / '.leat' / 'profiles' / 'dev' / 'control.db'}").dispose()
    assert _readable(Connection(), tmp_path)
    monkeypatch.setenv("LEAT_HOME", str(tmp_path / ".leat"))
    assert _readable(Connection(), tmp_path / "elsewhere")
    monkeypatch.setenv("LEAT_CONTROL", "sqlite:////nowhere/control.db")
    assert not _readable(Connection(), tmp_path)
    assert redact("in sqlite:////nowhere/control.db") == "in ***"


def _readable(connection: Connection, project: Path) -> bool:
    (test,) = setup_tests(connection, Sync("history", ALL, None, project, project, datetime.now(UTC)))
    return test.ok


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("nonsense", NotConfigured),
        ("mysql+nothing://127.0.0.1/x", NotConfigured),
        ("sqlite://", NotConfigured),
        ("sqlite:////nowhere/control.db", NotFound),
        ("postgresql://leat@127.0.0.1:9/x", Unavailable),
    ],
)
def test_a_wrong_url_is_explained(url: str, error: type[IntegrationError], tmp_path: Path) -> None:
    sync = Sync("history", ALL, None, tmp_path, tmp_path, datetime.now(UTC))
    with pytest.raises(error):
        list(extract(Connection(url=url), sync))
    (test,) = setup_tests(Connection(url=url), sync)
    assert not test.ok
    assert "Next: " in test.detail


def test_what_is_no_control_store_is_said_so(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    engine = create_engine(f"sqlite:///{other}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE run (id text)"))
    with pytest.raises(UnexpectedShape, match="no table action, action_approval,"):
        read(engine)
    engine.dispose()
    other.write_text("this is not a database, whatever its name says")
    with pytest.raises(UnexpectedShape, match="not a database"):
        read(engine)


def test_a_user_without_rights_is_shown_what_to_grant(postgres_url: str) -> None:
    engine = open_control(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN PASSWORD 'reader'"))
    try:
        reader = create_engine(engine.url.set(username="reader", password="reader"))
        with pytest.raises(Forbidden, match="grant SELECT"):
            read(reader)
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP ROLE reader"))
        engine.dispose()


def test_loading_it_brings_about_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEAT_CONTROL", raising=False)
    monkeypatch.delenv("LEAT_HOME", raising=False)
    add_sources(SOURCES)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "platform.yaml").write_text("source: platform\ndriver: sql\n")
    (tmp_path / "script.jsonl").write_text('[{"do": "rows", "stream": "kept", "rows": [{"shelf": "a", "id": 1}]}]\n')
    tally = f"source: tally\ndriver: script\nconnection: {{script: {tmp_path / 'script.jsonl'}}}\n"
    (tmp_path / "pipelines" / "tally.yaml").write_text(tally)
    project = Project(tmp_path, tmp_path / ".leat", None, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")
    store = open_control(project.control_url)
    declarations = load_declarations(project)
    register_declarations(store, declarations)
    warehouse = open_warehouse(None, project.state)

    def run_all() -> dict[str, str]:
        recorder = Recorder(store, "cli")
        engine = PipelineEngine(project, warehouse, declarations, observe=recorder.on_phase, called=recorder.on_call)
        results = run_integrations(engine, ["platform", "tally"], Request(), recorder.on_result)
        return {result.integration: f"{result.status} {result.error or ''}".strip() for result in results}

    assert run_all() == {"tally": "loaded", "platform": "loaded"}
    assert run_all() == {"tally": "nothing_new", "platform": "nothing_new"}
    assert run_all() == {"tally": "nothing_new", "platform": "nothing_new"}
    with (tmp_path / "script.jsonl").open("a") as script:
        script.write('[{"do": "rows", "stream": "kept", "rows": [{"shelf": "a", "id": 2}]}]\n')
        script.write('[{"do": "calls", "count": 2, "path": "/v1/things"}]\n')
    assert run_all() == {"tally": "loaded", "platform": "loaded"}
    publish_version(warehouse)
    with warehouse.published() as session:
        runs = session.execute("SELECT integration, status FROM platform.runs ORDER BY id")
        calls = session.execute("SELECT integration, path FROM platform.api_calls")
    assert calls == [("tally", "/v1/things")] * 2
    assert [status for name, status in runs if name == "tally"] == ["loaded", "nothing_new", "nothing_new", "loaded"]
    assert [status for name, status in runs if name == "platform"] == ["loaded", "nothing_new", "nothing_new"]
    store.dispose()


def test_a_password_is_never_written() -> None:
    with pytest.raises(ValidationError, match="name it"):
        Connection.model_validate({"url": "postgresql://leat:hunter2@127.0.0.1/x"})
    assert Connection.model_validate({"url": {"env": "X"}})
    assert Connection.model_validate({"url": "postgresql://leat@127.0.0.1/x"})


def test_runs_of_automations_are_read_once(control: Engine) -> None:
    planned = RunRow("tidy", "0" * 64, "enabled", "20260101", datetime.now(UTC), targets=2, planned=1, refused=1,
                     verdicts=["2: no such branch"])  # fmt: skip
    record_automation_run(control, planned)
    events = read(control)
    [run] = rows(events, "automation_runs")
    assert (run["automation"], run["targets"], run["planned"], run["refused"]) == ("tidy", 2, 1, 1)
    assert (run["version"], run["verdicts"]) == ("20260101", '["2: no such branch"]')
    assert read(control, cursor_of(events)) == []


def test_an_action_comes_again_when_its_state_changes(control: Engine) -> None:
    now = datetime.now(UTC)
    action = NewAction(
        dedupe_key="late invoice 7", integration="payments", verb="refund", guarantee="guarded", money=True,
        title="refund 1.00 EUR", target="charges/ch_1", parameters={"charge": "ch_1"}, plan={}, digest="0" * 64,
        created_by="ann", expires_at=now + timedelta(days=1),
    )  # fmt: skip
    add_actions(control, [action], now)
    events = read(control)
    [first] = rows(events, "actions")
    assert (first["id"], first["state"], first["money"]) == (action.id, "planned", True)
    assert read(control, cursor_of(events)) == []
    with writing(control) as session:
        move(session, action.id, {"planned"}, "approved", now + timedelta(seconds=1), "bob", "agreed")
        note_decision(session, action.id, Decision(action.digest, "approved", "bob", now, "agreed"))
    events = read(control, cursor_of(events))
    assert [row["state"] for row in rows(events, "actions")] == ["approved"]
    assert [(row["state"], row["changed_by"]) for row in rows(events, "action_events")] == [("approved", "bob")]
    assert [row["decided_by"] for row in rows(events, "action_approvals")] == ["bob"]
    add_actions(control, [replace(action, dedupe_key="an alert", integration=ALERTS, state="approved")], now)
    assert read(control, cursor_of(events)) == [], "what leat sends in its own name is no action"
