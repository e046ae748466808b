"""Loads behind pgbouncer in transaction mode: run by hand, with the package ``pgbouncer`` installed.

    .venv/bin/python -m bench.pooler

Every transaction gets another of three server connections, of four before the catalog of a lake. Prints what became of
runs that exclude each other and of runs side by side, and the time of a load that changes one row, behind the pooler
and without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from leat.demo.servers.process import free_port, is_listening
from leat.pipelines.load.engine import Request
from leat.pipelines.load.run import run_integration
from leat.warehouse.session import Busy
from tests.kit.databases import NewDatabase
from tests.kit.engines import shared_lake
from tests.kit.project import Tally, row, rows
from tests.servers.postgres import start_postgres, stop_postgres
from tests.servers.unprivileged_dir import NOBODY

_LOADS = 10


@contextmanager
def pooled(url: str, folder: Path, size: int = 3) -> Iterator[str]:
    """Run pgbouncer before a database, with so many server connections, and give the URL behind it."""
    parts, port = urlsplit(url), free_port()
    name = parts.path.removeprefix("/")
    (folder / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{name} = host={parts.hostname} port={parts.port} dbname={name} user={parts.username} "
        f"password={parts.password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
        f"auth_file = {folder / 'users'}\npool_mode = transaction\ndefault_pool_size = {size}\nserver_round_robin = 1\n"
        "unix_socket_dir =\n"
    )
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    root = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    for file in folder.iterdir():
        file.chmod(0o644)
    process = subprocess.Popen([program, "-q", str(folder / "pgbouncer.ini")], **root)  # type: ignore[call-overload]
    try:
        while not is_listening(port):
            time.sleep(0.05)
        yield f"postgresql://{parts.username}@127.0.0.1:{port}/{name}"
    finally:
        process.terminate()
        process.wait(10)


def seconds_of_loads(tally: Tally) -> float:
    """Return the median time of a load that changes one row."""
    engine, times = tally.engine(), []
    for number in range(_LOADS):
        tally.then(rows("fed", row(1, f"label {number}")))
        began = time.perf_counter()
        result = run_integration(engine, "tally", Request())
        if result.status != "loaded":
            raise SystemExit(result.error)
        times.append(time.perf_counter() - began)
    return median(times)


def at_once(tally: Tally) -> None:
    """Print what becomes of two runs of one integration, and of two integrations that are written at once."""
    one, two = tally.engine().warehouse, tally.engine().warehouse
    with one.exclusive("tally") as lease, two.exclusive("other") as other:
        try:
            with tally.engine().warehouse.exclusive("tally"):
                print("WRONG: two have the right to run an integration")
        except Busy as busy:
            print(f"fence {lease.fence}: another run is refused: {busy}")
        with one.transaction("tally", lease=lease), two.transaction("other", lease=other):
            print("two schemas are written side by side")


def main() -> None:
    """Print the results."""
    with tempfile.TemporaryDirectory(prefix="leat-pooler-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_postgres(folder / "postgres", fsync=False)
        try:
            url = NewDatabase(server)()
            direct = Tally(folder / "direct", NewDatabase(server)())
            (folder / "pool").mkdir()
            (folder / "direct").mkdir()
            (folder / "behind").mkdir()
            with pooled(url, folder / "pool") as through:
                behind = Tally(folder / "behind", through)
                for tally in (direct, behind):
                    tally.declare("{fed: {history: true}}")
                print(
                    f"a load of one row: {1000 * seconds_of_loads(direct):.0f} ms direct, "
                    f"{1000 * seconds_of_loads(behind):.0f} ms behind pgbouncer"
                )
                at_once(behind)
            catalog = NewDatabase(server)()
            (folder / "of_lake").mkdir()
            (folder / "lake").mkdir()
            with pooled(catalog, folder / "of_lake", 4) as through:
                lake = Tally(folder / "lake", shared_lake(through, folder / "files"))
                lake.declare("{fed: {history: true}}")
                print(f"a load of one row into a lake: {1000 * seconds_of_loads(lake):.0f} ms behind pgbouncer")
                at_once(lake)
        finally:
            stop_postgres(server)


if __name__ == "__main__":
    main()
