"""`leat run --on` and `leat serve --on` with a real Ray head: killed and frozen jobs, secrets, the token."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import update

from leat.control.store import Declared, end_run, open_control, register, start_run
from leat.control.tables import Run
from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project, then
from tests.kit.databases import NewDatabase
from tests.kit.project import row, rows
from tests.kit.ray_cluster import ADDRESS, URL, Cluster, listening, own_network
from tests.kit.serving import served
from tests.servers.postgres import start_postgres, stop_postgres

pytestmark = pytest.mark.timeout(900)  # the head alone takes a minute to start where the machine is busy

ROOT = Path(__file__).parents[2]
SECRET = "planted-in-the-environment-of-the-workers"
STEPS = (rows("fed", row(1, "one"), row(2, "two")), rows("scanned", row(3, "three")))


@dataclass
class World:
    """A project with two integrations, its databases, and the cluster that runs it.

    Attributes:
        leat: who submits.
        here: the same project with databases of its own, run on one machine without Ray.
        cluster: the cluster.
    """

    leat: Leat
    here: Leat
    cluster: Cluster
    postgres_port: int

    def ask(self, sql: str, leat: Leat | None = None) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect((leat or self.leat).variables["LEAT_WAREHOUSE"])
        try:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()
        finally:
            connection.close()

    def fence(self, name: str) -> int:
        return int(self.ask(f"SELECT fence FROM leat_locks.leases WHERE name = '{name}'")[0][0])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="leat-ray-", dir="/tmp") as name, own_network():
        folder = Path(name)
        folder.chmod(0o755)
        server = start_postgres(folder / "postgres", fsync=False)
        try:
            new = NewDatabase(server)
            shared = {"LEAT_WAREHOUSE": new(), "LEAT_CONTROL": new()}
            (folder / "project").mkdir()
            first = tally_project(folder / "project", **shared, LEAT_HOME=str(folder / "submitter"))
            text = (first.folder / "pipelines" / "tally.yaml").read_text()
            (first.folder / "pipelines" / "other.yaml").write_text(text.replace("script.jsonl", "other.jsonl"))
            then(first, *STEPS)
            (first.folder / "other.jsonl").write_bytes((first.folder / "script.jsonl").read_bytes())
            here = Leat(first.folder, {"LEAT_WAREHOUSE": new(), "LEAT_CONTROL": new(), "LEAT_HOME": str(folder / "h")})
            of_jobs = {"LEAT_PROJECT": str(first.folder), "LEAT_HOME": str(folder / "worker"), "PLANTED": SECRET}
            (folder / "ray").mkdir()
            cluster = Cluster(folder / "ray", {**shared, **of_jobs})
            try:
                cluster.start()
                yield World(Leat(first.folder, {**first.variables, **cluster.access}), here, cluster, server.port)
            finally:
                cluster.kill()
        finally:
            stop_postgres(server)


def on(leat: Leat, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run on the cluster."""
    return started(leat, "run", *words, "--on", URL, **variables)


def started(leat: Leat, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: one that is forked has the network of the server that forks it."""
    with leat.start(*words, **variables) as process:
        out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def test_a_run_on_ray_gives_the_tables_and_the_result_of_a_local_one(world: World) -> None:
    ran = on(world.leat, "--json")
    assert ran.returncode == 0, (ran.stdout, ran.stderr)
    with world.here.start("run", "--json") as process:
        local, _ = process.communicate(timeout=240)
    shown, expected = json.loads(ran.stdout), json.loads(local)
    for each in (shown, expected):
        del each["seconds"]
        for integration in each["integrations"]:
            del integration["seconds"], integration["load_id"]
    assert shown == expected
    for table in ("tally.fed", "tally.scanned", "other.fed", "other.scanned"):
        sql = f"SELECT shelf, id, label, seen_at, revision FROM {table} ORDER BY 1, 2"
        assert world.ask(sql) == world.ask(sql, world.here) != []


def begun(path: Path) -> int:
    """Wait until somebody reads a pipe; they get nothing and wait until what is returned is closed."""
    opened: list[int] = []

    def is_open() -> bool:
        with contextlib.suppress(OSError):  # ENXIO while nobody reads
            opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_until(is_open, 120)
    return opened[0]


def test_a_killed_job_and_a_frozen_one_are_repeated_once_under_a_new_fence(world: World) -> None:
    before = {name: world.fence(name) for name in ("tally", "other")}
    lines = {}
    for script in ("script.jsonl", "other.jsonl"):
        path = world.leat.folder / script
        lines[path] = path.read_text() + json.dumps([rows("fed", row(7, "seven"))]) + "\n"
        path.unlink()
        os.mkfifo(path)  # whoever reads it waits for somebody who writes
    with world.leat.start("run", "--on", URL, "--json") as process:
        writers = [begun(path) for path in lines]
        killed, frozen = world.cluster.pid_of("tally"), world.cluster.pid_of("other")
        assert killed is not None
        assert frozen is not None
        for path, text in lines.items():
            path.with_suffix(".new").write_text(text)
            path.with_suffix(".new").replace(path)
        os.kill(frozen, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        for writer in writers:
            os.close(writer)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, (out, err)
    assert [each["status"] for each in json.loads(out)["integrations"]] == ["loaded", "loaded"]
    for name, first in before.items():
        assert world.fence(name) == first + 3  # the one that was lost, the one that took over, the repeated one
        assert world.ask(f"SELECT count(*), count(DISTINCT id) FROM {name}.fed") == [(3, 3)]
        sql = f"SELECT count(*) FROM leat.loads WHERE integration = '{name}'"
        assert world.ask(sql) == [(2,)]
    runs = json.loads(started(world.leat, "runs", "tally", "--json").stdout)["runs"]
    assert [(run["status"], run["error_type"]) for run in runs[:2]] == [("loaded", None), ("failed", "Killed")]


def test_leat_serve_runs_what_is_due_on_ray(world: World) -> None:
    declared = (world.leat.folder / "pipelines" / "tally.yaml").read_text()
    (world.leat.folder / "pipelines" / "due.yaml").write_text(declared + "schedule: 0 0 1 1 *\n")
    store = open_control(world.leat.variables["LEAT_CONTROL"])
    register(store, {"due": Declared("tally", "", "script", "")})
    end_run(store, start_run(store, "due", "serve", holds_lock=True), "loaded")
    with store.begin() as connection:
        connection.execute(
            update(Run).values(started_at=datetime(2020, 1, 1, tzinfo=UTC)).where(Run.trigger == "serve")
        )
    with served(world.leat, LEAT_RUN_ON=URL) as server:
        wait_until(lambda: any(entry["message"].startswith("due: loaded") for entry in server.log), 200)
    store.dispose()
    assert world.ask("SELECT count(*) FROM due.fed") == [(3,)]
    assert world.cluster.get("/api/jobs/leat-due-1").json()["status"] == "SUCCEEDED"


def test_files_of_one_machine_are_refused_with_the_way_out(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    ran = on(leat)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the warehouse of this project is a file of this machine" in ran.stderr
    assert "`leat move env:NEW_WAREHOUSE`" in ran.stderr
    wrong = started(leat, "run", "--on", "ray://10.0.0.10:10001")
    assert wrong.returncode == 2
    assert "the address of Ray's dashboard, for example http://10.0.0.10:8265" in wrong.stderr


def test_no_secret_is_in_what_ray_shows_of_jobs(world: World) -> None:
    listed = world.cluster.get("/api/jobs/").text
    assert "leat run tally --json" in listed
    secrets = [SECRET, world.cluster.token]
    secrets += [re.findall(r":([^:@]+)@", world.leat.variables[name])[0] for name in ("LEAT_WAREHOUSE", "LEAT_CONTROL")]
    assert [secret for secret in secrets if secret in listed] == []


def test_ray_takes_no_job_without_its_token(world: World) -> None:
    before = len(world.cluster.get("/api/jobs/").json())
    for variables in ({"RAY_AUTH_MODE": ""}, {"RAY_AUTH_TOKEN": "0" * 64}):
        ran = on(world.leat, "tally", **variables)
        assert ran.returncode == 1
        assert f"Ray at {URL} refuses the token" in ran.stderr
        assert "Next: set RAY_AUTH_MODE=token" in ran.stderr
    assert len(world.cluster.get("/api/jobs/").json()) == before


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


def test_without_a_head_the_error_says_what_to_do(world: World) -> None:
    world.cluster.kill()
    ran = on(world.leat, "tally")
    assert ran.returncode == 1
    assert "it doesn't answer" in ran.stderr
    assert "check the address, and that the head of the cluster runs" in ran.stderr
    world.cluster.start()
    text = on(world.leat, "tally")
    assert text.returncode == 0, text.stderr
    assert "✓ tally: nothing new (4 rows, " in text.stdout
