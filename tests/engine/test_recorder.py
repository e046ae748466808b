"""What the recorder stores of a run's API calls, from any number of threads and whatever the control store does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from leat.control.store import open_control
from leat.control.tables import ApiCall
from leat.pipelines.load.results import IntegrationResult
from leat.runs.recorder import Recorder, register
from leat.sources.http.calls import ApiCall as Called
from leat.sources.settings import Named, read_secret
from tests.kit.project import Tally

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
CALL = Called(NOW, "tally.example", "GET", "/v1/things", 200, 1, 1.5, 100, rate_limit=10, version_served="2")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = f"sqlite:///{tmp_path / 'control.db'}"
    engine = open_control(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    tally = Tally(tmp_path)
    tally.declare()
    register(engine, tally.engine().declarations)
    yield engine
    engine.dispose()


def rows(store: Engine) -> list[ApiCall]:
    with Session(store, expire_on_commit=False) as session:
        return list(session.query(ApiCall).order_by(ApiCall.id))


def ended(recorder: Recorder) -> None:
    recorder.on_result(IntegrationResult("tally", "loaded"))


def test_calls_of_many_threads_are_written_a_thousand_at_a_time(store: Engine) -> None:
    recorder = Recorder(store, "cli")
    sizes: list[int] = []
    event.listen(store, "before_execute", lambda _c, clause, many, *_: sizes.append(len(many)) if many else None)
    recorder.on_phase("tally", "started")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: recorder.on_call("tally", CALL), range(2500)))
    assert len(rows(store)) == 2000
    ended(recorder)
    actual = rows(store)
    assert len(actual) == 2500
    assert sizes == [1000, 1000, 500]
    assert {(r.host, r.path, r.rate_limit, r.version_served, r.called_at) for r in actual} == {
        ("tally.example", "/v1/things", 10, "2", NOW)
    }
    assert len({row.run_id for row in actual}) == 1


def test_a_run_without_calls_writes_none(store: Engine) -> None:
    recorder = Recorder(store, "cli")
    recorder.on_phase("tally", "started")
    ended(recorder)
    recorder.on_call("tally", CALL)  # of a request that outlived its run
    assert rows(store) == []


def test_calls_that_cannot_be_written_fail_no_run(store: Engine, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(store, "cli")
    recorder.on_phase("tally", "started")
    with store.begin() as connection:
        connection.execute(text("ALTER TABLE api_call RENAME TO elsewhere"))
    for _ in range(1001):
        recorder.on_call("tally", CALL)
    ended(recorder)
    assert (
        [record.getMessage()[:28] for record in caplog.records]
        == [
            "1000 API calls of run " + caplog.records[0].args[1][:6],  # type: ignore[index]
            "1 API calls of run " + caplog.records[1].args[1][:9],  # type: ignore[index]
        ]
    )
    with store.connect() as connection:
        assert connection.execute(text("SELECT status FROM run")).scalars().all() == ["loaded"]


def test_no_secret_is_written(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "T0-planted-path-secret")
    read_secret(Named(env="HOOK"), "tally")
    recorder = Recorder(store, "cli")
    recorder.on_phase("tally", "started")
    recorder.on_call("tally", Called(NOW, "hooks.example", "GET", "/hooks/T0-planted-path-secret", None, 1, 2.0, 0))
    ended(recorder)
    assert [row.path for row in rows(store)] == ["/hooks/***"]


def test_the_engine_passes_calls_on(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.declare()
    tally.then({"do": "calls", "count": 3, "path": "/v1/things"})
    seen: list[tuple[str, str]] = []
    tally.run(called=lambda name, call: seen.append((name, call.path)))
    assert seen == [("tally", "/v1/things")] * 3
