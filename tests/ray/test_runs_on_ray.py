"""`leat run --on` and `leat serve --on` with a real Ray head: lost jobs, interrupts, secrets, the token."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from leat.control.store import Declared, end_run, open_control, register, start_run
from leat.control.tables import Run
from leat.pipelines.declare.project import open_project
from leat.pipelines.load.engine import Request
from leat.runs.on_ray.jobs import Jobs, RayError
from leat.runs.on_ray.run import run_on
from leat.runs.workspace import Workspace
from tests.kit.child import wait_until
from tests.kit.command import tally_project
from tests.kit.ray_cluster import ADDRESS, URL, listening
from tests.kit.serving import served
from tests.ray.conftest import SECRET, World, begun, run_out, unblock

pytestmark = pytest.mark.timeout(900)  # the head alone takes a minute to start where the machine is busy

ROOT = Path(__file__).parents[2]


def on(world: World, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run on the cluster."""
    return world.leat("run", *words, "--on", URL, **variables)


def test_a_run_on_ray_gives_the_tables_and_the_result_of_a_local_one(world: World) -> None:
    world.declare("other")
    ran = on(world, "tally", "other", "--json")
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    shown, expected = json.loads(ran.stdout), world.here.json("run", "tally", "other")
    for each in (shown, expected):
        del each["seconds"]
        for integration in each["integrations"]:
            del integration["seconds"], integration["load_id"]
    assert shown == expected
    for table in ("tally.fed", "tally.scanned", "other.fed", "other.scanned"):
        sql = f"SELECT shelf, id, label, seen_at, revision FROM {table} ORDER BY 1, 2"
        assert world.ask(sql) == world.ask(sql, world.here) != []


def test_leat_serve_runs_what_is_due_on_ray_and_a_slow_job_delays_no_other(world: World) -> None:
    store = open_control(world.leat.variables["LEAT_CONTROL"])

    def let_be_due(name: str) -> None:
        register(store, {name: Declared("tally", "", "script", "")})
        end_run(store, run := start_run(store, name, "serve", holds_lock=True), "loaded")
        with store.begin() as connection:
            long_ago = datetime(2020, 1, 1, tzinfo=UTC)
            assert connection.execute(update(Run).values(started_at=long_ago).where(Run.id == run)).rowcount == 1

    schedule = "schedule: 0 0 1 1 *\n"
    script = world.declare_waiting("slow", schedule)
    let_be_due("slow")
    with served(world.leat, LEAT_RUN_ON=URL) as server:

        def has_loaded(name: str) -> bool:
            return any(entry["message"].startswith(f"{name}: loaded") for entry in server.log)

        writer = begun(script)
        world.declare("late", schedule)
        let_be_due("late")
        wait_until(lambda: has_loaded("late"), 200, every=0.1)
        assert not has_loaded("slow")
        os.write(writer, (world.leat.folder / "script.jsonl").read_bytes())
        os.close(writer)
        wait_until(lambda: has_loaded("slow"), 200, every=0.1)
    store.dispose()
    for name in ("slow", "late"):
        assert world.ask(f"SELECT count(*) FROM {name}.fed") == [(2,)]
        assert world.cluster.get(f"/api/jobs/leat-{name}-1").json()["status"] == "SUCCEEDED"


def test_an_interrupt_says_which_jobs_go_on_and_they_do(world: World) -> None:
    script = world.declare_waiting("interrupted")
    with world.leat.start("run", "interrupted", "--on", URL) as process:
        writer = begun(script)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (out, err)
    assert "jobs go on unless they have ended: leat-interrupted-1" in err
    assert f"`ray job stop --address {URL} JOB` stops one" in err
    assert world.cluster.get("/api/jobs/leat-interrupted-1").json()["status"] == "RUNNING"
    os.write(writer, (world.leat.folder / "script.jsonl").read_bytes())
    os.close(writer)
    status = "/api/jobs/leat-interrupted-1"
    wait_until(lambda: world.cluster.get(status).json()["status"] == "SUCCEEDED", 120, every=0.25)
    assert [run["status"] for run in world.leat.json("runs", "interrupted")["runs"]] == ["loaded"]


def test_files_of_one_machine_are_refused_with_the_way_out(world: World, tmp_path: Path) -> None:
    ran = tally_project(tmp_path)("run", "--on", URL)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the warehouse of this project is a file of this machine" in ran.stderr
    assert "`leat move env:NEW_WAREHOUSE`" in ran.stderr
    wrong = world.leat("run", "--on", "ray://10.0.0.10:10001")
    assert wrong.returncode == 2
    assert "the address of Ray's dashboard, for example http://10.0.0.10:8265" in wrong.stderr


def test_no_secret_is_in_what_ray_shows_of_jobs(world: World) -> None:
    listed = world.cluster.get("/api/jobs/").text
    assert "leat run tally --json" in listed
    secrets = [SECRET, world.cluster.token]
    secrets += [re.findall(r":([^:@]+)@", world.leat.variables[name])[0] for name in ("LEAT_WAREHOUSE", "LEAT_CONTROL")]
    assert [secret for secret in secrets if secret in listed] == []


def test_ray_takes_no_job_without_its_token(world: World) -> None:
    for variables in ({"RAY_AUTH_MODE": ""}, {"RAY_AUTH_TOKEN": "0" * 64}):
        ran = on(world, "tally", **variables)
        assert ran.returncode == 1
        assert f"Ray at {URL} refuses the token" in ran.stderr
        assert "Next: set RAY_AUTH_MODE=token" in ran.stderr
    assert [job["submission_id"] for job in world.cluster.get("/api/jobs/").json() if "tally" in job["entrypoint"]] == [
        "leat-tally-1"
    ]


def test_what_listens_is_what_the_documentation_lists(world: World) -> None:
    text = (ROOT / "docs" / "scaling.md").read_text()
    listed = re.findall(r"^\| (\d+)(?: to (\d+))? \| [^|]+ \| (all|its own|127.0.0.1) \|", text, re.MULTILINE)
    ports = {(int(first), int(last or first)): where for first, last, where in listed}
    addresses = {"all": "0.0.0.0", "its own": ADDRESS, "127.0.0.1": "127.0.0.1"}  # noqa: S104 - nothing binds to it
    seen = {pair for pair in listening() if pair[0] != world.postgres_port}
    undocumented = {
        (port, address)
        for port, address in seen
        if not any(a <= port <= b and address in (addresses[w], "127.0.0.1") for (a, b), w in ports.items())
    }
    assert undocumented == set()
    assert {(first, addresses[where]) for (first, last), where in ports.items() if first == last} <= seen


def test_a_killed_job_and_a_frozen_one_are_repeated_once_under_a_new_fence(world: World) -> None:
    names = ("killed", "frozen")
    scripts = [world.declare_waiting(name) for name in names]
    with world.leat.start("run", *names, "--on", URL, "--json") as process:
        writers = [begun(script) for script in scripts]
        killed, frozen = (world.cluster.pid_of(name) for name in names)
        assert killed is not None
        assert frozen is not None
        os.kill(frozen, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        for script, writer in zip(scripts, writers, strict=True):
            unblock(world, script, writer)
        run_out(world, "frozen")
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, (out, err)
    assert [each["status"] for each in json.loads(out)["integrations"]] == ["loaded", "loaded"]
    for name in names:
        # the one that was lost, the one that took over, the repeated one
        assert world.ask(f"SELECT fence FROM leat_locks.leases WHERE name = '{name}'") == [(3,)]
        assert world.ask(f"SELECT count(*), count(DISTINCT id) FROM {name}.fed") == [(2, 2)]
        assert world.ask(f"SELECT count(*) FROM leat.loads WHERE integration = '{name}'") == [(1,)]
        runs = world.leat.json("runs", name)["runs"]
        assert [(run["status"], run["error_type"]) for run in runs] == [("loaded", None), ("failed", "Killed")]


def test_without_a_head_the_error_says_what_to_do(world: World) -> None:
    with pytest.raises(RayError) as raised:
        Jobs(URL.replace("8265", "8264"), patience=0).check()
    assert "it doesn't answer" in str(raised.value)
    assert "check the address, and that the head of the cluster runs" in str(raised.value)


def test_a_job_is_repeated_whose_head_was_killed_and_started_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = world.declare_waiting("headless")
    for name, value in world.leat.variables.items():
        monkeypatch.setenv(name, value)
    workspace = Workspace(open_project(world.leat.folder))
    with ThreadPoolExecutor(1) as threads:  # in this process, so that it waits longer than 30 seconds for the head
        running = threads.submit(run_on, Jobs(URL, patience=240), workspace, ["headless"], Request())
        writer = begun(script)
        world.cluster.kill()
        unblock(world, script, writer)
        run_out(world, "headless")
        world.cluster.start()
        result = running.result(240)
    workspace.close()
    assert [each.status for each in result.integrations] == ["loaded"]
    assert world.ask("SELECT count(*) FROM leat.loads WHERE integration = 'headless'") == [(1,)]
    runs = world.leat.json("runs", "headless")["runs"]
    assert [(run["status"], run["error_type"]) for run in runs] == [("loaded", None), ("failed", "Killed")]
