"""A run of the whole demo project that finds nothing new, from a cold process, and where its time goes.

    python -m bench.nothing_new

The demo's servers run for real. The account takes the steps one after the other in processes of their own: the bare
interpreter, the imports of the command line, those of the control store, and the whole run; what the sources took is
from the run itself, which waits for them side by side. Processor time is of the process and its children, so that it
says something on a busy machine too. The peer is ``git ls-remote`` plus one ``PROPFIND``: what one would do by hand.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
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


def main() -> None:
    """Measure and print the account."""
    leat = [sys.executable, "-m", "leat.cli.main", "--project", str(ROOT)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "demo"
        start_company(folder, ROOT, (), lambda _what: None)
        try:
            values = {name: value or "" for name, value in dotenv_values(folder / "env").items()}
            env = {**os.environ, **values, "LEAT_HOME": temporary, "PYTHONPATH": str(ROOT)}
            for _ in range(2):
                subprocess.run([*leat, "run"], check=True, env=env, stdout=subprocess.DEVNULL)
            imports = {
                name: measure([sys.executable, "-c", code], env)
                for name, code in (
                    ("the bare interpreter", "pass"),
                    ("with the imports of the command line", "import leat.cli.main"),
                    ("and those of the control store", "import leat.cli.main, leat.control.store"),
                )
            }
            whole = measure([*leat, "run"], env)
            told = subprocess.run([*leat, "run", "--json"], check=True, env=env, stdout=subprocess.PIPE).stdout
            by_hand = _by_hand(values, env)
        finally:
            for _name in stop_company(folder):
                pass
    integrations = {each["integration"]: each["seconds"] for each in json.loads(told)["integrations"]}
    print(f"{'':44}   wall   processor")
    _print("nothing new, whole demo project", whole, "goal: under 1.20")
    for name, taken in imports.items():
        _print(f"  {name}", taken)
    for name, wall in integrations.items():
        print(f"{'  ' + name + ' (side by side; platform last)':44}{wall:7.2f} s")
    print(f"{'by hand: git ls-remote and PROPFIND':44}{by_hand:7.2f} s   {whole.wall / by_hand:.1f}×")


def _print(what: str, taken: Taken, note: str = "") -> None:
    print(f"{what:44}{taken.wall:7.2f} s {taken.processor:7.2f} s   {note}".rstrip())


def _by_hand(values: dict[str, str], env: dict[str, str]) -> float:
    import base64

    sign_in = base64.b64encode(f"{values['CALENDAR_USERNAME']}:{values['CALENDAR_PASSWORD']}".encode()).decode()
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
    config["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {sign_in}"
    repositories = values["VERSION_CONTROL_REPOSITORIES"].split()
    listed = sum(measure(["git", "ls-remote", repository], {**env, **config}).wall for repository in repositories)
    curl = ["curl", "-sf", "-X", "PROPFIND", "-H", "Depth: 1", "-u", f"office:{values['CALENDAR_PASSWORD']}"]
    return listed + measure([*curl, f"{values['CALENDAR_URL']}office/"], env).wall


if __name__ == "__main__":
    main()
