"""Tryton, a business system, with CRM, sales and books, as a process on loopback.

Its SQLite file is ``<folder>/leat.sqlite``. Making one takes half a minute, so one is made for all and copied: it is
stored next to this Python, in ``.venv/tryton/``, and recreated when Tryton, the year or what it holds has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import date
from importlib import metadata
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.demo.tryton.database import __file__ as recipe
from leat.files import draft_of, lock

DATABASE = "leat"
_CONFIG = """\
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
"""
_LOGGING = """\
[formatters]
keys = plain
[handlers]
keys = out
[loggers]
keys = root
[formatter_plain]
format = %(asctime)s %(levelname)s %(name)s %(message)s
[handler_out]
class = StreamHandler
args = (sys.stdout,)
formatter = plain
[logger_root]
level = WARNING
handlers = out
"""


def start_tryton(folder: Path, keys: Iterable[str], port: int | None = None) -> Process:
    """Start Tryton and wait until it listens; it answers at ``http://127.0.0.1:<port>/leat/``.

    Args:
        folder: of its configuration and data; existing data is served again.
        keys: keys of user applications that may use its REST API as the administrator.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    file = make_database(folder)
    for key in keys:
        allow(file, key)
    port = port or free_port()
    (folder / "trytond.conf").write_text(_CONFIG.format(folder=folder, port=port), encoding="utf-8")
    (folder / "logging.conf").write_text(_LOGGING, encoding="utf-8")
    argv = [sys.executable, "-m", "leat.demo.tryton.serve", "-c", str(folder / "trytond.conf"), "-d", DATABASE]
    path = {"PYTHONPATH": str(Path(__file__).parents[3])}
    return start("tryton", [*argv, "--logconf", str(folder / "logging.conf")], folder, port, path)


def make_database(folder: Path) -> Path:
    """Return the SQLite file of a folder; when there is none, it is that of a company that has just begun."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder.resolve() / f"{DATABASE}.sqlite"
    if not file.exists():
        with draft_of(file) as draft:
            shutil.copyfile(_prepared(), draft)
    return file


def allow(file: Path, key: str) -> None:
    """Let a key use the REST API as the administrator."""
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        database.execute(
            "INSERT INTO res_user_application (key, user, application, state, create_uid, create_date)"
            " SELECT ?, id, 'rest', 'validated', 0, '2000-01-01 00:00:00.000000' FROM res_user WHERE login = 'admin'"
            " AND NOT EXISTS (SELECT 1 FROM res_user_application WHERE key = ? AND state = 'validated')",
            (key, key),
        )


def revoke(file: Path, key: str) -> None:
    """Take a key's rights away."""
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        database.execute("UPDATE res_user_application SET state = 'cancelled' WHERE key = ?", (key,))


def _prepared() -> Path:
    """Return the file that is copied, and make it when it isn't there; one process at a time."""
    folder = Path(sys.prefix) / "tryton"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{_version()}.sqlite"
    with lock(folder / "lock"):
        if not file.exists():
            draft = folder / "draft.sqlite"
            draft.unlink(missing_ok=True)
            argv = [sys.executable, "-m", "leat.demo.tryton.database", str(draft)]
            made = subprocess.run(argv, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)
            if made.returncode:
                msg = f"no Tryton database could be made:\n{made.stderr[-2000:]}"
                raise RuntimeError(msg)
            draft.replace(file)
    return file


def _version() -> str:
    """Return what the file depends on: Tryton's versions, the recipe, the year of its fiscal years."""
    names = sorted(f"{d.name}=={d.version}" for d in metadata.distributions() if d.name.startswith("trytond"))
    year = str(date.today().year)  # noqa: DTZ011 - fiscal years reach three years beyond
    text = "\n".join([*names, Path(recipe).read_text(encoding="utf-8"), year])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
