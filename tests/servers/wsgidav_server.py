"""WsgiDAV, a WebDAV server, with accounts, as a process on loopback (its HTTP server is cheroot).

It serves ``<folder>/files``; times of files are those of the file system, and etags depend on them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.files import atomic_write


def start_wsgidav(folder: Path, users: Mapping[str, str], port: int | None = None) -> Process:
    """Start WsgiDAV for these accounts and wait until it listens.

    Args:
        folder: of its configuration and files; existing data is served again.
        users: login to password; each may read and write everything.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    files = files_of(folder)
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    config = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(files)},
        "simple_dc": {"user_mapping": {"*": {user: {"password": password} for user, password in users.items()}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "property_manager": True,
        "lock_storage": True,
        "verbose": 1,
    }
    path = folder / "wsgidav.json"
    atomic_write(path, json.dumps(config))
    return start("wsgidav", [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(path)], folder, port)


def files_of(folder: Path) -> Path:
    """Return the folder that it serves."""
    return folder.resolve() / "files"
