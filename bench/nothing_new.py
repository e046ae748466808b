"""A run of the whole demo project that finds nothing new, from a cold process, and where its time goes.

    python -m bench.nothing_new

The demo's servers run for real. The account takes the steps one after the other in processes of their own: the bare
interpreter, the imports of the command line, and the whole run; what the sources took is from the run itself, which
waits for them side by side. The peer is ``git ls-remote`` plus one ``PROPFIND``: what one would do by hand.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dotenv import dotenv_values

from leat.demo.company import start_company, stop_company

ROOT = Path(__file__).parent.parent
RUNS = 7


def seconds(argv: list[str], env: dict[str, str]) -> float:
    """Return the median wall-clock seconds of a command."""
    taken = []
    for _ in range(RUNS):
        started = time.monotonic()
        subprocess.run(argv, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taken.append(time.monotonic() - started)
    return statistics.median(taken)


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
            bare = seconds([sys.executable, "-c", "pass"], env)
            imports = seconds([sys.executable, "-c", "import leat.cli.main"], env)
            whole = seconds([*leat, "run"], env)
            told = subprocess.run([*leat, "run", "--json"], check=True, env=env, stdout=subprocess.PIPE).stdout
            by_hand = _by_hand(values, env)
        finally:
            for _name in stop_company(folder):
                pass
    integrations = {each["integration"]: each["seconds"] for each in json.loads(told)["integrations"]}
    print(f"{'nothing new, whole demo project':44}{whole:7.2f} s   aim: under 1.50")
    print(f"{'  the bare interpreter':44}{bare:7.2f} s")
    print(f"{'  imports of the command line':44}{imports - bare:7.2f} s")
    for name, taken in integrations.items():
        print(f"{'  ' + name + ' (side by side; platform last)':44}{taken:7.2f} s")
    print(f"{'by hand: git ls-remote and PROPFIND':44}{by_hand:7.2f} s   {whole / by_hand:.1f}×")


def _by_hand(values: dict[str, str], env: dict[str, str]) -> float:
    import base64

    sign_in = base64.b64encode(f"{values['CALENDAR_USERNAME']}:{values['CALENDAR_PASSWORD']}".encode()).decode()
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
    config["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {sign_in}"
    repositories = values["VERSION_CONTROL_REPOSITORIES"].split()
    listed = sum(seconds(["git", "ls-remote", repository], {**env, **config}) for repository in repositories)
    curl = ["curl", "-sf", "-X", "PROPFIND", "-H", "Depth: 1", "-u", f"office:{values['CALENDAR_PASSWORD']}"]
    return listed + seconds([*curl, f"{values['CALENDAR_URL']}office/"], env)


if __name__ == "__main__":
    main()
