"""Radicale, a CalDAV server, with accounts and sharing, as a process on loopback.

It stores one file per event in ``<folder>/collections/collection-root/<user>/<calendar>/``. It skips files that it
cannot parse itself, and repairs some (control characters are removed, a missing zone is added to EXDATE).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.files import atomic_write

_CONFIG = """\
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {folder}/collections
[sharing]
type = files
database_path = {folder}/sharing
collection_by_map = True
collection_by_token = True
permit_create_map = True
permit_create_token = True
[web]
type = none
[logging]
level = warning
"""


def start_radicale(folder: Path, users: Mapping[str, str], port: int | None = None) -> Process:
    """Start Radicale for these accounts and wait until it listens.

    Args:
        folder: of its configuration, accounts and collections; existing data is served again.
        users: login to password.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    atomic_write(folder / "users", "".join(f"{user}:{password}\n" for user, password in users.items()))
    atomic_write(folder / "config", _CONFIG.format(port=port, folder=folder))
    argv = [sys.executable, "-m", "radicale", "--config", str(folder / "config")]
    return start("radicale", argv, folder, port)


def storage_folder(folder: Path, user: str, calendar: str) -> Path:
    """Return the folder of a calendar's files in Radicale."""
    return folder.resolve() / "collections" / "collection-root" / user / calendar
