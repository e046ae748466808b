"""Ray in a fleet: machines of a cluster, and runs that are submitted to it all the time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from bench.fleet.machines import Machine
from tests.kit.command import Leat
from tests.kit.ray_cluster import ADDRESS, OPTIONS, PATIENT

_WITHIN = 600.0
_GIVES_UP = {"RAY_raylet_start_wait_time_s": "60"}
"""After which `ray start` ends and is started again."""
_PATIENCE = 300.0
"""Seconds that `leat run --on` may take: a job waits for its machine, and is submitted once more."""


def ray_machine(number: int, head: int, folder: Path, leat: Leat, cpus: int, logs: Path | None = None) -> Machine:
    """Return a machine of a cluster, whose `ray start` is started again when it ends.

    Args:
        number: of the machine.
        head: number of the head; the same if it is that.
        folder: of the bench; it has the token of the cluster in ``token`` and a folder ``ray``.
        leat: the project, with the variables of its jobs.
        cpus: how many jobs the machine runs at a time.
        logs: folder of its log; None for that of the bench.
    """
    address = f"10.77.0.{number}"
    options = [word.replace(ADDRESS, address) for word in OPTIONS]
    kind = ["--head", *options]
    if number != head:
        ports = [word for word in options[options.index("--node-manager-port") :] if word != "--no-monitor"]
        kind = ["--address", f"10.77.0.{head}:6379", "--node-ip-address", address, *ports]
    temporary = folder / "ray"  # each machine has its own there
    argv = [sys.executable, "-m", "bench.fleet.started_again", str(Path(sys.executable).with_name("ray")), "start"]
    argv += [*kind, "--num-cpus", str(cpus), "--block", "--disable-usage-stats", "--object-store-memory", "80000000"]
    argv += ["--temp-dir", str(temporary)] if number == head else []
    mounted = ["sh", "-c", f'mount -t tmpfs ray {temporary} && exec "$@"', "sh", *argv]
    own = {"LEAT_HOME": str(folder / f"state-{number}"), "LEAT_PROJECT": str(leat.folder), "HOME": str(folder)}
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env = {**PATIENT, **_GIVES_UP, **leat.env(own), **path}
    return Machine(number, mounted, env, (logs or folder) / f"ray-{number}")


def wait_for_cluster(url: str, token: str, count: int) -> None:
    """Wait until so many machines are in the cluster.

    Raises:
        TimeoutError: they aren't after five minutes.
    """
    deadline = time.monotonic() + 300
    while True:
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"{url}/nodes?view=summary", headers={"Authorization": f"Bearer {token}"}, timeout=5)
            nodes = answer.json()["data"]["summary"]
            if sum(node["raylet"].get("state") == "ALIVE" for node in nodes) == count:
                return
        if time.monotonic() > deadline:
            raise TimeoutError(url)
        time.sleep(0.5)


@dataclass
class Submitted:
    """Runs that are submitted to a cluster.

    Attributes:
        leat: who submits.
        url: the dashboard of the cluster.
        alone: lists that only it loads.
        others: some that the servers load as well.
        outcomes: how the runs ended.
    """

    leat: Leat
    url: str
    alone: Sequence[str]
    others: Sequence[str]
    outcomes: Counter[str] = field(default_factory=Counter)

    def submit(self) -> None:
        """Run a list, and wait until that has ended."""
        among = self.alone if random.random() < 0.7 else self.others  # noqa: S311 - no secret
        self._run(random.choice(among))  # noqa: S311

    def load_all(self) -> bool:
        """Load what only the cluster loads, until all of it is loaded; return whether that worked."""
        deadline = time.monotonic() + _WITHIN
        left = list(self.alone)
        while left and time.monotonic() < deadline:
            loaded = self._run(*left)
            left = [name for name in left if name not in loaded]
        return not left

    def _run(self, *names: str) -> set[str]:
        leat = Leat(self.leat.folder, self.leat.variables, _PATIENCE)
        try:
            done = leat("run", *names, "--on", self.url, "--json")
        except TimeoutError:
            self.outcomes["without an end"] += 1
            return set()
        try:
            results = json.loads(done.stdout)["integrations"]
        except (ValueError, KeyError):
            said = (done.stdout or done.stderr).strip()[-120:]
            self.outcomes[f"exit code {done.returncode}: {said}"] += 1
            return set()
        for each in results:
            self.outcomes[f"{each['status']} {each.get('error_type') or ''}".strip()] += 1
        return {each["integration"] for each in results if each["status"] in ("loaded", "nothing_new")}
