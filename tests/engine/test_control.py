"""The control store, on SQLite and on Postgres."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, inspect, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from leat.control.action_tables import Action
from leat.control.alert_messages import messages
from leat.control.alert_tables import AlertMessage, AlertNotice, AlertProblem
from leat.control.alerts import Notice, TrackedProblem, note_problems, note_sent, tracked_problems
from leat.control.audit_tables import AuditEvent
from leat.control.automation_tables import Automation
from leat.control.budgets import SharedBudgets
from leat.control.engine import writing
from leat.control.key_tables import DataKeyRow
from leat.control.latest_runs import latest_runs
from leat.control.mail_tables import TrackingEvent
from leat.control.migrations import HEAD, migrate
from leat.control.publications import blocked_since
from leat.control.query_tables import SavedQuery
from leat.control.security_tables import Person
from leat.control.store import (
    Counts,
    Declared,
    close_lost_runs,
    end_run,
    last_good_runs,
    last_runs,
    log_events,
    open_control,
    overrides,
    recent_runs,
    register,
    set_override,
    start_run,
)
from leat.control.tables import Integration, IntegrationLog, IntegrationSystem, Run, Table
from leat.control.webhook_tables import WebhookEndpoint
from leat.warehouse.session import Unreachable, WarehouseError

PAYMENTS = Declared("payments", "Charges and what follows them.", "stripe", "Our shop")
CALENDAR = Declared("calendar", "Events.", "caldav", "")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'control.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def control(url: str) -> Iterator[Engine]:
    engine = open_control(url)
    register(engine, {"payments": PAYMENTS, "calendar": CALENDAR})
    yield engine
    engine.dispose()


def test_head_is_the_newest_revision() -> None:
    from alembic.script import ScriptDirectory

    import leat.control.migrations

    scripts = ScriptDirectory(str(Path(leat.control.migrations.__file__).parent))
    assert scripts.get_current_head() == HEAD
    assert sorted(script.revision for script in scripts.walk_revisions())[-1] == HEAD  # they are compared as text


def test_migrations_make_the_models(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    tables = (Action, Automation, AlertMessage, AlertProblem, AlertNotice, AuditEvent, Person, TrackingEvent,
              WebhookEndpoint, SavedQuery, DataKeyRow)  # fmt: skip
    assert {table.metadata for table in tables} == {Table.metadata}
    migrated, created = _migrated(url), open_control(_another(url, tmp_path, request))
    for store in (migrated, created):
        with store.connect() as connection:
            options = {"compare_type": True, "compare_server_default": True}
            assert compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata) == []
    assert _everything_in(migrated) == _everything_in(created)
    for store in (migrated, created):
        store.dispose()


def _migrated(url: str) -> Engine:
    """Return an empty database that went through all revisions, as a store of the first leat did."""
    store = open_control(url)
    config = _alembic()
    for step in ("base", "0001"):
        with store.begin() as connection:
            config.attributes["connection"] = connection
            (command.downgrade if step == "base" else command.upgrade)(config, step)
    assert set(inspect(store).get_table_names()) >= {"integration", "run"}
    store.dispose()
    return open_control(url)


def _another(url: str, folder: Path, request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{folder / 'other.db'}" if url.startswith("sqlite") else request.getfixturevalue("new_database")()


def _everything_in(store: Engine) -> dict[str, Any]:
    """Return columns, keys, indexes and constraints of every table, and how many rows it has."""
    there, result = inspect(store), {}
    for table in there.get_table_names():
        columns = sorted((column | {"type": str(column["type"])} for column in there.get_columns(table)), key=str)
        parts = [there.get_pk_constraint(table), there.get_foreign_keys(table), there.get_unique_constraints(table)]
        parts += [there.get_indexes(table), there.get_check_constraints(table)]
        with store.connect() as connection:
            count = connection.execute(text(f'SELECT COUNT(*) FROM "{table}"')).scalar()
        result[table] = (columns, [sorted(map(str, part)) if isinstance(part, list) else part for part in parts], count)
    return result


def _alembic() -> Config:
    import leat.control.migrations

    config = Config()
    config.set_main_option("script_location", str(Path(leat.control.migrations.__file__).parent))
    return config


def test_migrations_can_be_undone(control: Engine) -> None:
    config = _alembic()
    with control.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(control).get_table_names() == ["alembic_version"]


def test_a_store_of_an_older_leat_remembers_its_notices(control: Engine) -> None:
    problem = TrackedProblem("run:crm", "run", "crm", "crm failed", "error", datetime.now(UTC))
    note_problems(control, [problem], problem.seen_at)
    with writing(control) as session:
        note_sent(session, "mail", [("run:crm", "opened")], problem.seen_at)
        same = {"channel": "mail", "title": "title", "severity": "", "news": [], "created_at": problem.seen_at}
        statuses = ("open", "sent", "failed")
        session.add_all(AlertMessage(id=each, status=each, attempts=1, **same) for each in statuses)
    config = _alembic()
    with control.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
        assert connection.execute(text("SELECT channel, what FROM alert_told")).all() == [("mail", "opened")]
        connection.execute(text("UPDATE alert_message SET status = 'sending' WHERE id = 'open'"))
    with control.begin() as connection:
        migrate(connection)
    notice = Notice("opened", problem.seen_at)
    assert {key: each.notices for key, each in tracked_problems(control).items()} == {"run:crm": {"mail": notice}}
    assert [each.status for each in messages(control)] == ["sent"], "what wasn't sent is written again"


def test_the_rfc_has_its_indexes(control: Engine) -> None:
    indexed = {
        table: {tuple(index["column_names"]) for index in inspect(control).get_indexes(table)}
        for table in ("integration_system", "integration", "integration_config", "integration_log")
    }
    assert {("created_by",), ("created_at",), ("status",)} <= indexed["integration_system"]
    assert {("integration_system_id",), ("created_at",), ("status",)} <= indexed["integration"]
    assert {("integration_id",), ("created_at",)} <= indexed["integration_config"]
    assert {("integration_id",), ("created_at",)} <= indexed["integration_log"]


def test_a_new_or_current_store_needs_no_alembic(url: str) -> None:
    code = (
        "import sys; from leat.control.store import open_control; [open_control(sys.argv[1]) for _ in 'ab']; "
        "sys.exit(any(name.split('.')[0] == 'alembic' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code, url], check=False).returncode == 0


def test_two_processes_open_a_new_store_at_once(url: str) -> None:
    code = (
        "import sys; from leat.control.store import Declared, open_control, register; "
        "print('ready', flush=True); sys.stdin.read(); "
        "e = open_control(sys.argv[1]); register(e, {'payments': Declared('payments', '', 'stripe', '')})"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    for child in children:
        assert child.wait() == 0, child.stderr and child.stderr.read()
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            pipe.close()
    engine = open_control(url)
    with Session(engine) as session:
        assert [row.name for row in session.query(Integration)] == ["payments"]
    engine.dispose()


def test_a_newer_store_is_refused(url: str) -> None:
    engine = open_control(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(WarehouseError, match="schema 9999, this leat knows"):
        open_control(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense secret", "can't be read"),
        ("mysql://root:secret@127.0.0.1/x", "neither|can't be read"),
        ("sqlite://", "can't be read"),
        ("sqlite:////proc/nowhere/control.db", "can't be opened"),
        ("postgresql://leat:secret@127.0.0.1:9/x", "can't be opened: connection"),
    ],
)
def test_a_wrong_url_is_explained_without_its_password(url: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message) as caught:
        open_control(url)
    assert "secret" not in str(caught.value)
    assert "LEAT_CONTROL" in str(caught.value)


def test_a_lost_connection_is_unreachable_and_the_next_one_works(postgres_url: str) -> None:
    store = open_control(postgres_url)
    ending = text("SELECT pg_terminate_backend(:pid, 5000)")
    with pytest.raises(Unreachable, match="check LEAT_CONTROL"), writing(store) as session:
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with store.connect() as another:
            another.execute(ending, {"pid": pid})
        session.execute(text("SELECT 1"))
    budgets = SharedBudgets(store)
    with pytest.raises(Unreachable, match="check LEAT_CONTROL"), budgets.locked("one"), store.connect() as another:
        others = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                      "AND datname = current_database()")  # fmt: skip
        another.execute(others)
    with budgets.locked("one") as (state, _, _):
        assert state == b"{}"
    refused = text("SELECT 1 FROM no_such_table")
    with pytest.raises(ProgrammingError), store.connect() as connection:
        connection.execute(refused)
    store.dispose()


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_text("this is not a database, whatever its name says")
    with pytest.raises(WarehouseError, match="not a database"):
        open_control(f"sqlite:///{tmp_path / 'control.db'}")


def test_sqlite_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "state" / "control.db"
    engine = open_control(f"sqlite:///{path}")
    with writing(engine) as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 30_000
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    engine.dispose()


def test_times_are_utc_on_both_engines(control: Engine) -> None:
    instant = datetime(2026, 3, 29, 2, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with writing(control) as session:
        owner = session.query(Integration).filter_by(name="payments").one()
        session.add(IntegrationLog(integration_id=owner.id, event_type="x", event_data={}, created_at=instant))
    with Session(control) as session:
        rows = session.query(IntegrationLog).filter(IntegrationLog.created_at == instant).one().created_at
    assert rows == instant
    assert rows.utcoffset() == timedelta(0)


def test_a_time_without_zone_is_refused(control: Engine) -> None:
    with pytest.raises(Exception, match="has no time zone"), writing(control) as session:
        session.add(Run(id="x", integration_id=1, trigger="cli", started_at=datetime(2026, 1, 1), status="running"))  # noqa: DTZ001


def test_register_writes_what_changed_only(control: Engine) -> None:
    both = {"payments": PAYMENTS, "calendar": CALENDAR}
    before = _integrations(control)
    assert before["payments"] == ("payments/stripe", "active", "Our shop", "payments")
    assert register(control, both) is False

    off = Declared("payments", "Charges and what follows them.", "stripe", "Our shop", enabled=False)
    assert register(control, both | {"payments": off}) is True
    assert _integrations(control)["payments"][1] == "disabled"
    assert _integrations(control)["calendar"] == before["calendar"]


def test_what_is_no_longer_declared_is_marked_and_comes_back(control: Engine) -> None:
    assert register(control, {"payments": PAYMENTS}) is True
    assert _integrations(control)["calendar"][1] == "removed"
    with Session(control) as session:
        assert session.query(IntegrationSystem).filter_by(name="calendar").one().status == "removed"
    assert register(control, {"payments": PAYMENTS}) is False
    assert register(control, {"payments": PAYMENTS, "calendar": CALENDAR}) is True
    assert _integrations(control)["calendar"][1] == "active"


def _integrations(engine: Engine) -> dict[str, tuple[str, str, str, str]]:
    with Session(engine) as session:
        rows = session.query(Integration).all()
        return {row.name: (row.integration_type, row.status, row.description, row.system.name) for row in rows}


def test_a_run_is_recorded(control: Engine) -> None:
    run_id = start_run(control, "payments", "cli", holds_lock=True)
    (running,) = recent_runs(control)
    assert (running.id, running.status, running.ended_at, running.seconds) == (run_id, "running", None, None)

    end_run(control, run_id, "loaded", Counts(3, 2, 1, 4), load_id="170")
    (done,) = recent_runs(control, "payments")
    assert (done.status, done.counts, done.load_id, done.error) == ("loaded", Counts(3, 2, 1, 4), "170", None)
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at <= datetime.now(UTC)
    assert done.seconds == (done.ended_at - done.started_at).total_seconds()


def test_text_that_no_database_takes_is_stored(control: Engine) -> None:
    run_id = start_run(control, "payments", "dagster", holds_lock=True)
    end_run(control, run_id, "failed", error=("Unavailable", "a NUL \x00 and half a pair \ud800"))
    (run,) = recent_runs(control)
    assert (run.error_type, run.error) == ("Unavailable", "a NUL \ufffd and half a pair ?")

    log_events(control, "payments", [("odd", {"x": "\x00 \ud800", "when": datetime(2026, 1, 1, tzinfo=UTC)})])
    log_events(control, "payments", [("odder", {"x": float("nan")}), ("oddest", {"x": {(1, 2): 3}})])
    with Session(control) as session:
        logs = session.query(IntegrationLog).order_by(IntegrationLog.id).all()
        assert [log.event_type for log in logs] == ["odd", "odder", "oddest"]
        assert logs[0].event_data["when"].startswith("2026-01-01")
        assert "nan" in logs[1].event_data["text"]


def test_a_killed_run_is_closed_by_the_next_one(control: Engine) -> None:
    killed = start_run(control, "payments", "cli", holds_lock=True)
    elsewhere = start_run(control, "calendar", "cli", holds_lock=True)
    busy = start_run(control, "payments", "cli", holds_lock=False)
    assert {run.id: run.status for run in recent_runs(control)}[killed] == "running"
    end_run(control, busy, "busy")

    start_run(control, "payments", "cli", holds_lock=True)
    runs = {run.id: run for run in recent_runs(control)}
    assert (runs[killed].status, runs[killed].error_type) == ("failed", "Killed")
    assert runs[killed].ended_at is not None
    assert runs[elsewhere].status == "running"
    assert runs[busy].status == "busy"


def test_a_run_that_was_closed_while_it_ended_says_how_it_ended(control: Engine) -> None:
    run = start_run(control, "payments", "cli", holds_lock=True)
    threads = [
        threading.Thread(target=close_lost_runs, args=(control, "payments")),
        threading.Thread(target=end_run, args=(control, run, "loaded")),
    ]
    with writing(control) as session:
        session.scalars(select(Run).with_for_update()).all()
        for thread in threads:
            thread.start()
            thread.join(0.3)
            assert thread.is_alive(), "it waits"
    for thread in threads:
        thread.join()
    [recorded] = recent_runs(control)
    assert (recorded.status, recorded.error_type) == ("loaded", None)


def test_recent_and_last_runs(control: Engine) -> None:
    ids = [start_run(control, name, "cli", holds_lock=True) for name in ("payments", "calendar", "payments")]
    assert [run.id for run in recent_runs(control)] == ids[::-1]
    assert [run.id for run in recent_runs(control, limit=1)] == ids[2:]
    assert [run.id for run in recent_runs(control, limit=1, after=ids[2])] == ids[1:2]
    assert recent_runs(control, after=ids[0]) == []
    with pytest.raises(KeyError):
        recent_runs(control, after="nothing")
    assert [run.id for run in recent_runs(control, "calendar")] == [ids[1]]
    assert {name: run.id for name, run in last_runs(control).items()} == {"payments": ids[2], "calendar": ids[1]}


def test_runs_of_a_clock_that_was_ahead_hide_no_others(control: Engine) -> None:
    register(control, {"a": Declared("s", "", "d", "")})
    wrong = start_run(control, "a", "cli", holds_lock=True)
    end_run(control, wrong, "loaded")
    later = datetime.now(UTC) + timedelta(days=400)
    with control.begin() as connection:
        connection.execute(update(Run).values(started_at=later, ended_at=later))
    assert last_good_runs(control) == {}
    right = start_run(control, "a", "cli", holds_lock=True)
    end_run(control, right, "failed", error=("Rejected", "no"))
    assert last_runs(control)["a"].id == right
    assert [run.id for run in recent_runs(control)] == [right, wrong]
    ended = latest_runs(control)["a"].ended
    assert ended is not None
    assert ended.status == "failed"
    running = start_run(control, "a", "cli", holds_lock=True)
    assert latest_runs(control)["a"].running is not None
    end_run(control, running, "blocked")
    assert list(blocked_since(control)) == ["a"]


def test_overrides(control: Engine) -> None:
    set_override(control, "payments", "schedule", "0 * * * *")
    set_override(control, "payments", "enabled", "true")
    set_override(control, "payments", "enabled", "false")
    assert overrides(control) == {"payments": {"schedule": "0 * * * *", "enabled": "false"}}
    set_override(control, "payments", "schedule", None)
    set_override(control, "payments", "never_there", None)
    assert overrides(control) == {"payments": {"enabled": "false"}}


def test_an_unknown_integration_or_run_is_an_error(control: Engine) -> None:
    with pytest.raises(WarehouseError, match="register it first"):
        start_run(control, "nowhere", "cli", holds_lock=True)
    with pytest.raises(WarehouseError, match="no run x"):
        end_run(control, "x", "loaded")


def test_a_reader_does_not_stop_the_writer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'control.db'}"
    engine = open_control(url)
    register(engine, {"payments": PAYMENTS})
    reader = create_engine(url).connect()
    assert len(reader.execute(text("SELECT * FROM integration")).fetchmany(1)) == 1
    start_run(engine, "payments", "cli", holds_lock=True)
    reader.close()
    engine.dispose()


def test_opening_a_sqlite_store_again_leaves_the_locks_of_its_connections(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    first = open_control(f"sqlite:///{path}")
    register(first, {"payments": PAYMENTS})
    log = Path(f"{path}-wal").stat().st_ino
    open_control(f"sqlite:///{path}").dispose()
    last_to_close = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM integration_log'); c.commit()"
    )
    subprocess.run([sys.executable, "-c", last_to_close, str(path)], check=True)
    assert Path(f"{path}-wal").stat().st_ino == log, "another process has removed a log that is in use"
    set_override(first, "payments", "enabled", "false")
    assert overrides(open_control(f"sqlite:///{path}", pooled=False)) == {"payments": {"enabled": "false"}}
    first.dispose()
