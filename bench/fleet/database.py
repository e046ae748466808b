"""The machine of Postgres: started again whenever it ends, as systemd does it.

Run by :mod:`bench.fleet`: ``python -m bench.fleet.database FOLDER PORT``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.fleet.machines import NETWORK
from leat.demo.servers.process import is_running
from tests.servers.postgres import start_postgres


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    while True:
        try:
            process = start_postgres(folder, port, network=NETWORK)
        except RuntimeError as error:  # processes of the one that was killed still end
            print(error, flush=True)
            continue
        while is_running(process.pid):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
