"""A machine of `leat serve`: the socket is systemd's, and what ends is started again, perhaps in another version.

Run by :mod:`bench.fleet`: ``python -m bench.fleet.server PROJECT PORT [CHECKOUT…]``.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time

from tests.kit.command import LEAT


def main() -> None:
    project, port, *checkouts = sys.argv[1:]
    listening = socket.create_server(("0.0.0.0", int(port)), backlog=2048)  # noqa: S104 - of a namespace
    command = f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
    argv = ["bash", "-c", command, "leat", LEAT, "serve", "--port", port, "--url", os.environ["LEAT_URL"], "--json"]
    argv += ["--trusted-proxy", "10.77.0.2"]
    while True:
        checkout = random.choice(checkouts) if checkouts else ""  # noqa: S311 - no secret
        env = {**os.environ, **({"PYTHONPATH": checkout} if checkout else {})}
        print(f"starting {checkout}", flush=True)
        process = subprocess.Popen(argv, cwd=project, env=env, pass_fds=(listening.fileno(),))
        print(f"ended: {process.wait()}", flush=True)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
