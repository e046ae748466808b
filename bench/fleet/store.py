"""The machine of an object store: SeaweedFS, started again whenever it ends.

Run by :mod:`bench.fleet`: ``python -m bench.fleet.store FOLDER PORT``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.fleet.bucket import KEY, SECRET_KEY
from leat.demo.servers.process import is_running
from leat.demo.servers.seaweedfs import start_seaweedfs


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    while True:
        try:
            process = start_seaweedfs(folder, {"bench": (KEY, SECRET_KEY)}, port, listen="0.0.0.0")  # noqa: S104
        except RuntimeError as error:  # what was killed still ends
            print(error, flush=True)
            continue
        while is_running(process.pid):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
