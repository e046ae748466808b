"""A load of one row, with and without dlt and Great Expectations.

    python -m bench.small_load

leat uses neither below a limit; a variant that uses one has that limit set to nothing. Each is measured as ``leat run``
from a cold process, as the command line starts it, and as runs one after the other in one process, as the worker of
``leat serve`` has them. Processor time, for it says something on a busy machine too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows

RUNS = 7
VARIANTS = {
    "neither": (None, None),
    "Great Expectations": (None, -1),
    "dlt": (-1, None),
    "both": (-1, -1),
}
PROGRAM = """
import json, os, resource, sys, time
import leat.pipelines.load.landing as landing
import leat.quality.audit as audit
limits, lines = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for module, limit in zip((landing, audit), limits):
    module.SMALL = module.SMALL if limit is None else limit
from pathlib import Path
from leat.pipelines.load.engine import Request
from leat.runs.run import run
from leat.runs.workspace import open_workspace
workspace, took = open_workspace(Path.cwd()), []
for line in lines:
    with open("script.jsonl", "a") as script:
        script.write(line + "\\n")
    before = time.process_time()
    (result,) = run(workspace, ["tally"], Request()).integrations
    assert result.status == "loaded", result.error
    took.append(time.process_time() - before)
print(json.dumps([time.process_time(), took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def measure(leat: Leat, limits: tuple[int | None, int | None], first: int, count: int) -> tuple[float, float, float]:
    """Return what loads take in a new process: all of it, the last load alone in seconds, and memory in MB."""
    lines = [json.dumps([rows("fed", row(number, "one"))]) for number in range(first, first + count)]
    argv = [sys.executable, "-c", PROGRAM, json.dumps(limits), json.dumps(lines)]
    env = {**os.environ, **leat.env()}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    answer = subprocess.run(argv, cwd=leat.folder, env=env, check=True, capture_output=True, text=True)
    whole, took, memory = json.loads(answer.stdout.splitlines()[-1])
    return whole, statistics.median(took[1:] or took), memory / 1024


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        leat = tally_project(Path(folder))
        then(leat, rows("fed", row(0, "one")))
        number = 1
        cold: dict[str, list[tuple[float, float, float]]] = {name: [] for name in VARIANTS}
        warm = {}
        for _ in range(RUNS):  # in turn, so that a machine that slows down slows down all
            for name, limits in VARIANTS.items():
                cold[name].append(measure(leat, limits, number, 1))
                number += 1
        for name, limits in VARIANTS.items():
            warm[name] = measure(leat, limits, number, 20)[1]
            number += 20
    print("| uses | a cold process | ratio | memory | each load in a warm process | ratio |")
    print("|---|---|---|---|---|---|")
    least = {name: min(each[0] for each in measured) for name, measured in cold.items()}
    for name, measured in cold.items():
        memory = statistics.median(each[2] for each in measured)
        print(
            f"| {name} | {least[name]:.2f} s | {least[name] / least['neither']:.1f} | {memory:.0f} MB "
            f"| {warm[name] * 1000:.0f} ms | {warm[name] / warm['neither']:.1f} |"
        )


if __name__ == "__main__":
    main()
