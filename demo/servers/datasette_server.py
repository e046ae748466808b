"""Datasette, which serves a SQLite file as a read-only JSON API, as a process on loopback.

The file may be changed by others while it is served: each request reads what is there then.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start

PAGE = 50
"""Rows in a page, as far as a request doesn't ask for another number."""


def start_datasette(folder: Path, database: Path, port: int | None = None) -> Process:
    """Start Datasette and wait until it listens.

    Args:
        folder: where its log is.
        database: the SQLite file; its stem is the first part of every path.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    port = port or free_port()
    argv = [sys.executable, "-m", "datasette", "serve", str(database.resolve()), "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--setting", "default_page_size", str(PAGE), "--setting", "num_sql_threads", "2"]
    return start("datasette", argv, folder.resolve(), port)
