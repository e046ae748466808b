"""Datasette, which serves a SQLite file as a JSON API, as a process on loopback.

The file may be changed by others while it is served: each request reads what is there then. Anybody may read; a token
of :func:`token_of` may also insert, update and delete rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start

PAGE = 50
"""Rows in a page, as far as a request doesn't ask for another number."""


WRITER = "leat"
"""The account that may write."""
_WRITES = ("insert-row", "update-row", "delete-row")


def start_datasette(folder: Path, database: Path, port: int | None = None, secret: str | None = None) -> Process:
    """Start Datasette and wait until it listens.

    Args:
        folder: where its log and configuration are.
        database: the SQLite file; its stem is the first part of every path.
        port: TCP port on 127.0.0.1; None for a free one.
        secret: signs the tokens of those who may write; None if nobody may.
    """
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "datasette.json"
    permissions = {} if secret is None else {name: {"id": WRITER} for name in _WRITES}
    text = json.dumps({"databases": {database.stem: {"permissions": permissions}}})
    if not settings.exists() or settings.read_text() != text:
        settings.write_text(text)
    argv = [sys.executable, "-m", "datasette", "serve", str(database.resolve()), "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--setting", "default_page_size", str(PAGE), "--setting", "num_sql_threads", "2"]
    argv += ["--config", str(settings.resolve())]
    env = {} if secret is None else {"DATASETTE_SECRET": secret}
    return start("datasette", argv, folder.resolve(), port, env)


def token_of(secret: str) -> str:
    """Return the token of the account that may write, as ``datasette create-token`` makes it; it doesn't expire."""
    from itsdangerous import URLSafeSerializer

    return "dstok_" + URLSafeSerializer(secret, "token").dumps({"a": WRITER, "t": 0})
