"""One cluster for all tests of this folder: its head takes nine seconds of processor time to start."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.kit.child import wait_until
from tests.kit.command import Leat, tally_project, then
from tests.kit.databases import NewDatabase
from tests.kit.engines import catalog_of, shared_lake
from tests.kit.project import row, rows
from tests.kit.ray_cluster import Cluster, own_network
from tests.servers.postgres import start_postgres, stop_postgres

SECRET = "planted-in-the-environment-of-the-workers"
STEPS = (rows("fed", row(1, "one"), row(2, "two")), rows("scanned", row(3, "three")))


@dataclass
class World:
    """A project, its databases, and the cluster that runs it.

    Attributes:
        leat: who submits.
        here: the same project with databases of its own, run on one machine without Ray.
        cluster: the cluster.
        postgres_port: where the databases are.
    """

    leat: Leat
    here: Leat
    cluster: Cluster
    postgres_port: int

    def ask(self, sql: str, leat: Leat | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse; of a lake, on the database that has its catalog."""
        with self._cursor(leat or self.leat) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def change(self, sql: str) -> None:
        """Change the warehouse behind the back of what is tested."""
        with self._cursor(self.leat) as cursor:
            cursor.execute(sql)
            assert cursor.rowcount == 1

    @contextlib.contextmanager
    def _cursor(self, leat: Leat) -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(catalog_of(leat.variables["LEAT_WAREHOUSE"]))
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def declare(self, name: str, more: str = "") -> Path:
        """Add an integration with the rows of STEPS, and return its script."""
        pipelines = self.leat.folder / "pipelines"
        script = self.leat.folder / f"{name}.jsonl"
        text = (pipelines / "tally.yaml").read_text()
        (pipelines / f"{name}.yaml").write_text(text.replace("script.jsonl", script.name) + more)
        shutil.copyfile(self.leat.folder / "script.jsonl", script)
        return script

    def declare_waiting(self, name: str, more: str = "") -> Path:
        """Add an integration whose extraction waits until somebody has written to its script."""
        script = self.declare(name, more)
        script.unlink()
        os.mkfifo(script)
        return script


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    with opened_world() as world:
        yield world


@pytest.fixture(scope="module")
def lake_world() -> Iterator[World]:
    """Give a project with a shared lake, and a cluster that runs it."""
    with opened_world(lake=True) as world:
        yield world


@contextlib.contextmanager
def opened_world(*, lake: bool = False) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="leat-ray-", dir="/tmp") as name, own_network():
        folder = Path(name)
        folder.chmod(0o755)
        server = start_postgres(folder / "postgres", fsync=False)
        try:
            new = NewDatabase(server)
            network = Path(f"/proc/{server.pid}/ns/net")
            shared = {"LEAT_WAREHOUSE": new(), "LEAT_CONTROL": new(), "DAGSTER_POSTGRES": new()}
            if lake:
                shared["LEAT_WAREHOUSE"] = shared_lake(shared["LEAT_WAREHOUSE"], folder / "files")
            of_jobs = {"LEAT_PROJECT": str(folder / "project"), "LEAT_HOME": str(folder / "worker"), "PLANTED": SECRET}
            (folder / "ray").mkdir()
            cluster = Cluster(folder / "ray", {**shared, **of_jobs})
            try:
                cluster.begin()
                (folder / "project").mkdir()
                first = tally_project(folder / "project", **shared, LEAT_HOME=str(folder / "submitter"))
                then(first, *STEPS)
                own = {"LEAT_WAREHOUSE": new(), "LEAT_CONTROL": new(), "LEAT_HOME": str(folder / "here")}
                leat = Leat(first.folder, {**first.variables, **cluster.access}, network=network)
                world = World(leat, Leat(first.folder, own, network=network), cluster, server.port)
                cluster.wait()
                yield world
            finally:
                cluster.kill()
        finally:
            stop_postgres(server)


def begun(path: Path) -> int:
    """Wait until somebody reads a pipe; they get nothing and wait until what is returned is closed."""
    opened: list[int] = []

    def is_open() -> bool:
        with contextlib.suppress(OSError):  # ENXIO while nobody reads
            opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_until(is_open, 120, every=0.05)
    return opened[0]


def unblock(world: World, script: Path, writer: int) -> None:
    """Let whoever reads a pipe read nothing, and all who come later the rows of STEPS."""
    script.with_suffix(".new").write_bytes((world.leat.folder / "script.jsonl").read_bytes())
    script.with_suffix(".new").replace(script)
    os.close(writer)


def run_out(world: World, name: str) -> None:
    """Let the lease of a process that is frozen or killed run out, which happens half a minute later by itself."""
    world.change(f"UPDATE leat_locks.leases SET expires_at = clock_timestamp() WHERE name = '{name}'")
