"""A run of the whole demo project that finds nothing new, from a cold process, and where its time goes.

    python -m bench.nothing_new [--project FOLDER]

The demo's servers run for real: those of a project after ``leat demo``, or of one that the benchmark starts. The
account takes the steps in processes of their own, each with one step more: the bare interpreter, the imports of the
command line, the declarations and their drivers, the control store, the warehouse, and the whole run; what the sources
took is from the run itself, which waits for them side by side. Processor time is of the process and its children, so
that it says something on a busy machine too. Python's compiled files are used, as by an installed leat. The peer is
``git ls-remote`` plus one ``PROPFIND``: what one would do by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values

from leat.demo.company import start_company, stop_company

ROOT = Path(__file__).parent.parent
RUNS = 7


class Taken(NamedTuple):
    """What a command took: the median of wall-clock seconds, and the least processor seconds."""

    wall: float
    processor: float


def measure(argv: list[str], env: dict[str, str]) -> Taken:
    """Run a command several times."""
    walls, processors = [], []
    for _ in range(RUNS):
        started, used = time.monotonic(), _processor()
        subprocess.run(argv, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        walls.append(time.monotonic() - started)
        processors.append(_processor() - used)
    return Taken(statistics.median(walls), min(processors))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def demo_started() -> Iterator[dict[str, str]]:
    """Start the demo's servers for this repository, load everything, and give the environment of its runs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "demo"
        start_company(folder, ROOT, (), lambda _what: None)
        try:
            env = environment(Path(temporary))
            subprocess.run([*leat(ROOT), "run"], check=True, env=env, stdout=subprocess.DEVNULL)
            yield env
        finally:
            for _name in stop_company(folder):
                pass


def environment(state: Path) -> dict[str, str]:
    """Return the environment of runs: the demo's variables, and compiled files of modules, which an install has."""
    values = {name: value or "" for name, value in dotenv_values(state / "demo" / "env").items()}
    env = {**os.environ, **values, "LEAT_HOME": str(state), "PYTHONPATH": str(ROOT)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def leat(project: Path) -> list[str]:
    """Return the beginning of a command line of leat."""
    return [sys.executable, "-m", "leat.cli.main", "--project", str(project)]


STEPS = {
    "the bare interpreter": "import os",
    "and the imports of the command line": "import leat.cli.main; leat.cli.main.app_for(['run'])",
    "and the declarations with their drivers": "w = leat.cli.commands.opened(Path(PROJECT)); w.declarations",
    "and the control store": "w.store",
    "and the warehouse, opened once": "with w.warehouse.snapshot(): pass",
}
"""The steps before the systems are asked; each adds to those before it."""


def steps(project: Path) -> Iterator[tuple[str, str]]:
    """Yield what each step adds, and the program of all steps up to it; like leat, it ends without taking down."""
    lines = [f"from pathlib import Path; PROJECT = {str(project)!r}"]
    for name, step in STEPS.items():
        lines.append(step)
        yield name, "\n".join([*lines, "os._exit(0)"])


def main() -> None:
    """Measure and print the account."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", type=Path, help="a project whose demo is running; without it, one is started")
    project: Path | None = parser.parse_args().project
    if project is None:
        with demo_started() as env:
            measure_and_print(ROOT, env)
    else:
        project = project.resolve()
        measure_and_print(project, environment(project / ".leat"))


def measure_and_print(project: Path, env: dict[str, str]) -> None:
    """Print the account of a project whose demo is running."""
    subprocess.run([*leat(project), "run"], check=True, env=env, stdout=subprocess.DEVNULL)
    before = {name: measure([sys.executable, "-c", program], env) for name, program in steps(project)}
    whole = measure([*leat(project), "run"], env)
    report = subprocess.run([*leat(project), "run", "--json"], check=True, env=env, stdout=subprocess.PIPE).stdout
    by_hand = _by_hand(env)
    print(f"{'':44}   wall   processor")
    _print("nothing new, whole demo project", whole, "goal: under 1.20")
    for name, taken in before.items():
        _print(f"  {name}", taken)
    for each in json.loads(report)["integrations"]:
        name, seconds = each["integration"], each["seconds"]
        print(f"{'  ' + name + ' (side by side; platform last)':44}{seconds:7.2f} s")
    print(f"{'by hand: git ls-remote and PROPFIND':44}{by_hand:7.2f} s   {whole.wall / by_hand:.1f}×")


def _print(what: str, taken: Taken, note: str = "") -> None:
    print(f"{what:44}{taken.wall:7.2f} s {taken.processor:7.2f} s   {note}".rstrip())


def _by_hand(env: dict[str, str]) -> float:
    import base64

    sign_in = base64.b64encode(f"{env['CALENDAR_USERNAME']}:{env['CALENDAR_PASSWORD']}".encode()).decode()
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
    config["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {sign_in}"
    repositories = env["VERSION_CONTROL_REPOSITORIES"].split()
    listed = sum(measure(["git", "ls-remote", repository], {**env, **config}).wall for repository in repositories)
    curl = ["curl", "-sf", "-X", "PROPFIND", "-H", "Depth: 1", "-u", f"office:{env['CALENDAR_PASSWORD']}"]
    return listed + measure([*curl, f"{env['CALENDAR_URL']}office/"], env).wall


if __name__ == "__main__":
    main()
