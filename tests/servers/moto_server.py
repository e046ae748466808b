"""moto, an imitation of AWS in memory, as a process on loopback: any keys are accepted, and nothing is stored."""

from __future__ import annotations

import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start


def start_moto(folder: Path, port: int | None = None) -> Process:
    """Start moto and wait until it listens.

    Args:
        folder: where its log goes.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    return start("moto", [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder, port)
