"""A small web API of leat's own, for what no server at hand does: it is a stand-in, not a real system.

It gives out tokens by OAuth 2, counts requests against a limit, has versions that end, pages in every style, and fails
in every way that is switched on at ``/_control``. Tests use it; on loopback only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start


def start_api_server(folder: Path, port: int | None = None) -> Process:
    """Start the server as a process and wait until it listens.

    Args:
        folder: where it stores its collections, in ``state.json``; what is there already is served again.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    argv = [sys.executable, "-m", "tests.servers.api_server", str(folder), str(port)]
    here = {"PYTHONPATH": str(Path(__file__).parents[3])}  # another package of this environment has tests of its own
    return start("api_server", argv, folder, port, here)
