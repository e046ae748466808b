"""Runs a command on a machine, and starts it again whenever it ends, as systemd does it: without what it left behind.

Run by :mod:`bench.fleet`: ``python -m bench.fleet.started_again COMMAND…``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    os.nice(-10)  # its parts wait for each other for half a minute only, and the other machines have its processors
    while True:
        print("starting", flush=True)
        code = subprocess.call(sys.argv[1:])
        print(f"ended: {code}", flush=True)
        for path in Path("/proc").glob("[0-9]*"):
            if int(path.name) not in (1, os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.name), signal.SIGKILL)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
