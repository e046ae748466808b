"""Runs of Dagster as Ray jobs, launched from its UI: a killed one fails and is retried, a frozen one stays failed."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import dagster as dg
import psutil
import pytest

from leat.dagster_project.instance import instance_folder
from leat.pipelines.declare.project import open_project
from leat.runs.dagster_process import meeting_folder
from leat.runs.workspace import Workspace
from tests.kit.child import wait_until
from tests.kit.command import ROOT
from tests.kit.dagster_ui import dagster_of, launch
from tests.kit.ray_cluster import URL
from tests.ray.conftest import World, begun, run_out, unblock

pytestmark = pytest.mark.timeout(900)

INSTANCE = (ROOT / "docs" / "dagster_on_ray.yaml").read_text()


@dataclass
class Runs:
    """The runs of Dagster, as its storage has them."""

    instance: dg.DagsterInstance

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def wait_until_failed(self, run_id: str) -> None:
        ends = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        wait_until(lambda: self.status(run_id) in ends, 240, every=0.25)
        assert self.status(run_id) is dg.DagsterRunStatus.FAILURE

    def retry_of(self, run_id: str) -> str:
        retries = dg.RunsFilter(tags={"dagster/parent_run_id": run_id})
        wait_until(lambda: bool(self.instance.get_runs(retries)), 120, every=0.25)
        return self.instance.get_runs(retries)[0].run_id


def process_of(run_id: str) -> psutil.Process:
    """Return the process that works on a run, on whatever machine."""
    (found,) = (each for each in psutil.process_iter() if is_work(each, run_id))
    return found


def is_work(process: psutil.Process, run_id: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "execute_run" in words and any(run_id in word for word in words)


def test_a_killed_run_fails_and_is_retried_and_one_that_froze_stays_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = world.declare_waiting("shown")
    for name, value in world.leat.variables.items():
        monkeypatch.setenv(name, value)
    workspace = Workspace(open_project(world.leat.folder))
    home = instance_folder(workspace.project)
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(INSTANCE.replace("http://10.0.0.10:8265", URL))
    with dagster_of(world.leat, workspace), dg.DagsterInstance.from_config(str(home)) as instance:
        runs = Runs(instance)
        first = launch(meeting_folder(workspace.project), "shown_job")
        writer = begun(script)
        process_of(first).kill()
        os.close(writer)
        run_out(world, "shown")
        runs.wait_until_failed(first)

        retried = runs.retry_of(first)
        writer = begun(script)
        frozen = process_of(retried)
        supervisor = frozen.parent()
        assert supervisor is not None
        supervisor.send_signal(signal.SIGSTOP)  # as on a machine that is frozen
        frozen.send_signal(signal.SIGSTOP)
        run_out(world, "shown")
        runs.wait_until_failed(retried)

        unblock(world, script, writer)
        assert world.leat.json("run", "shown")["integrations"][0]["status"] == "loaded"
        frozen.send_signal(signal.SIGCONT)
        wait_until(lambda: not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE, 120, every=0.1)
        supervisor.send_signal(signal.SIGCONT)
        assert runs.status(retried) is dg.DagsterRunStatus.FAILURE
        (failed,) = instance.get_records_for_run(retried, of_type=dg.DagsterEventType.STEP_FAILURE).records
        event = failed.event_log_entry.dagster_event
        assert event is not None
        assert "another run has taken over" in str(event.step_failure_data.user_failure_data)
    workspace.close()
    assert world.ask("SELECT count(*), count(DISTINCT id) FROM shown.fed") == [(2, 2)]
    assert world.ask("SELECT count(*) FROM leat.loads WHERE integration = 'shown'") == [(1,)]
    assert world.ask("SELECT fence FROM leat_locks.leases WHERE name = 'shown'") == [(3,)]
