"""Xandikos, a CalDAV server that stores calendars in git, as a process on loopback.

It has one principal, ``/user/``, and with ``--defaults`` its calendar ``/user/calendars/calendar/``. It serves what it
was given byte for byte, broken files too.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start


def start_xandikos(folder: Path, port: int | None = None) -> Process:
    """Start Xandikos and wait until it listens.

    Args:
        folder: of its collections; existing data is served again.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    argv = [sys.executable, "-m", "xandikos", "serve", "--directory", str(folder / "collections"), "--defaults"]
    argv += ["--listen-address", "127.0.0.1", "--port", str(port), "--no-detect-systemd"]
    return start("xandikos", argv, folder, port)
