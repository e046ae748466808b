"""Runs whose process is gone are closed, and those that `leat serve` started run again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.control.store import end_run, recent_runs, start_run
from leat.runs.lost import LostRuns
from leat.runs.recorder import register
from leat.runs.workspace import Workspace, open_workspace
from tests.kit.command import tally_project
from tests.kit.engines import ENGINES, shared_lake


@pytest.fixture(params=ENGINES)
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    if request.param == "postgres":
        for name in ("LEAT_WAREHOUSE", "LEAT_CONTROL"):
            monkeypatch.setenv(name, request.getfixturevalue("postgres_url"))
    elif request.param == "shared":
        new_database = request.getfixturevalue("new_database")
        monkeypatch.setenv("LEAT_WAREHOUSE", shared_lake(request.getfixturevalue("postgres_url"), tmp_path / "files"))
        monkeypatch.setenv("LEAT_CONTROL", new_database())
    elif request.param == "ducklake":
        monkeypatch.setenv("LEAT_WAREHOUSE", "ducklake")
    opened = open_workspace(tally_project(tmp_path).folder)
    register(opened.store, opened.declarations)
    yield opened
    opened.close()


def outcomes(workspace: Workspace) -> list[tuple[str, str | None]]:
    """Return the status and error type of each run, the newest first."""
    return [(run.status, run.error_type) for run in recent_runs(workspace.store)]


def test_one_that_nobody_works_on_is_closed_at_the_second_look(workspace: Workspace) -> None:
    start_run(workspace.store, "tally", "serve", holds_lock=True)
    lost = LostRuns()
    assert lost.close(workspace) == []
    assert outcomes(workspace) == [("running", None)]
    assert lost.close(workspace) == ["tally"]
    assert outcomes(workspace) == [("failed", "Killed")]
    assert lost.close(workspace) == []


def test_one_that_somebody_works_on_is_left_alone(workspace: Workspace) -> None:
    lost = LostRuns()
    with workspace.warehouse.exclusive("tally"):
        run = start_run(workspace.store, "tally", "serve", holds_lock=True)
        assert lost.close(workspace) == lost.close(workspace) == []
    assert lost.close(workspace) == []  # it has given its lease back, and is about to record how it ended
    end_run(workspace.store, run, "nothing_new")
    assert lost.close(workspace) == []
    assert outcomes(workspace) == [("nothing_new", None)]


def test_who_runs_a_lost_run_again(workspace: Workspace) -> None:
    lost = LostRuns()
    start_run(workspace.store, "tally", "cli", holds_lock=True)
    assert [lost.close(workspace), lost.close(workspace)] == [[], []]  # whoever started it sees it
    ended = start_run(workspace.store, "tally", "serve", holds_lock=True)
    end_run(workspace.store, ended, "loaded")
    again = []
    for _ in range(2):
        start_run(workspace.store, "tally", "serve", holds_lock=True)
        again.append([lost.close(workspace), lost.close(workspace)])
    assert again == [[[], ["tally"]], [[], []]]  # the second waits for its schedule: its load may kill the process
    assert [kind for _, kind in outcomes(workspace)] == ["Killed", "Killed", None, "Killed"]
