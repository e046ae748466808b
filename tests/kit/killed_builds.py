"""Builds models in processes that are killed before a statement, a later one each time, until one comes to its end.

    python -m tests.kit.killed_builds URL FOLDER STEP

It is a process of its own, because a warehouse that is open doesn't survive a fork.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

from leat.assets.build import build
from leat.warehouse.connect import open_warehouse
from tests.kit.changing import START


def main() -> None:
    """Print how many processes were killed."""
    url, folder, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    models = pickle.loads((folder / "models.pickle").read_bytes())  # noqa: S301
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            _die_before(1 + killed * step)
            with open_warehouse(url or None, folder / "state").transaction() as session:
                results = build(session, models, START)
            os._exit(0 if all(result.status in ("built", "unchanged") for result in results) else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            print(code, killed)
            return
        killed += 1


def _die_before(nth: int) -> None:
    left = nth

    def hook(event: str, _arguments: object) -> None:
        nonlocal left
        if event == "leat.statement":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
