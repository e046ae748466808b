"""Jobs of a Ray cluster that write a lake with its catalog in Postgres: side by side, killed and frozen."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.kit.ray_cluster import URL
from tests.ray.conftest import World, begun, run_out, unblock

pytestmark = pytest.mark.timeout(900)  # the head alone takes a minute to start where the machine is busy


def test_jobs_write_a_shared_lake_and_lost_ones_are_repeated_once(lake_world: World) -> None:
    world, lost = lake_world, ("killed", "frozen")
    world.declare("other")
    scripts = [world.declare_waiting(name) for name in lost]
    with world.leat.start("run", "tally", "other", *lost, "--on", URL, "--json") as process:
        writers = [begun(script) for script in scripts]
        killed, frozen = (world.cluster.pid_of(name) for name in lost)
        assert killed is not None
        assert frozen is not None
        os.kill(frozen, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        for script, writer in zip(scripts, writers, strict=True):
            unblock(world, script, writer)
        run_out(world, "frozen")
        out, err = process.communicate(timeout=400)
    assert process.returncode == 0, (out, err)
    assert [each["status"] for each in json.loads(out)["integrations"]] == ["loaded"] * 4
    for name in ("tally", "other", *lost):
        rows = f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM {name}.fed"
        loads = f"SELECT count(*) AS n FROM leat.loads WHERE integration = '{name}'"
        for sql, expected in ((rows, "2,2"), (loads, "1")):
            assert world.leat("query", "--format", "csv", sql).stdout.splitlines()[1:] == [expected]
    for name in lost:  # the one that was lost, the one that took over, the repeated one
        assert world.ask(f"SELECT fence FROM leat_locks.leases WHERE name = '{name}'") == [(3,)]
