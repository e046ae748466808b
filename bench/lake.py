"""How long a reader of a lake waits while a writer commits and publishes, and what one changed row costs.

    python -m bench.lake [--rows 200000 10000000] [--commits 100] [--shared s3://bucket/prefix]

The reader is a process of its own with one open connection, as an analyst has. It counts all rows again and again.
With ``--shared`` the catalog is in a Postgres of its own, whose files are synced, and the rows are in this folder or
object store.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import secrets
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from leat.warehouse.connect import open_warehouse
from leat.warehouse.duckdb.writer import in_memory
from leat.warehouse.ducklake.attach import SharedCatalog
from leat.warehouse.ducklake.catalog import LakeCatalog
from leat.warehouse.publication import publish_version
from leat.warehouse.url import is_shared_lake, read_lake_url
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres

_ALONE = 300
"""So many times it reads before the writer begins, to compare with."""
_COUNT = "SELECT count(*) FROM shop.orders"


def _read(url: str, state: Path, pipe: Connection) -> None:
    if is_shared_lake(url):
        connection = SharedCatalog(*read_lake_url(url, "the URL")).connect(read_only=True)
    else:
        form = LakeCatalog(state, timedelta(days=1))
        connection = in_memory()
        form.attach(connection, state / form.published, "warehouse", read_only=True)
        connection.execute("USE warehouse")
    alone: list[float] = []
    meanwhile: list[float] = []
    errors = 0
    while not pipe.poll():
        if len(alone) == _ALONE and not meanwhile:
            pipe.send("ready")
        began = time.perf_counter()
        try:
            connection.execute(_COUNT).fetchall()
        except Exception:
            errors += 1
        (alone if len(alone) < _ALONE else meanwhile).append(time.perf_counter() - began)
    pipe.send((alone, meanwhile, errors))


def _shown(waits: list[float]) -> str:
    waits.sort()
    shares = (("p50", 0.5), ("p99", 0.99), ("max", 1))
    return ", ".join(f"{name} {1000 * waits[int(share * (len(waits) - 1))]:.0f} ms" for name, share in shares)


@contextlib.contextmanager
def _catalog(data: str | None, rows: int) -> Iterator[str]:
    """Give the URL of an empty lake."""
    if data is None:
        yield "ducklake"
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = start_postgres(Path(folder))
        try:
            yield f"ducklake:{postgres_url(server)}?data={data}/{rows}-{secrets.token_hex(4)}"
        finally:
            stop_postgres(server)


def measure(rows: int, commits: int, data: str | None) -> None:
    """Print what a commit of one row costs into so many rows, and how long readers wait meanwhile."""
    with tempfile.TemporaryDirectory() as folder, _catalog(data, rows) as url:
        state = Path(folder)
        warehouse = open_warehouse(url, state)
        with warehouse.transaction() as session:
            session.execute("CREATE SCHEMA shop")
            session.execute(f"CREATE TABLE shop.orders AS SELECT i AS id, 'n' || i AS name FROM range({rows}) AS r(i)")
        publish_version(warehouse)
        here, there = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_read, args=(url, state, there))
        process.start()
        here.recv()
        began, work = time.perf_counter(), time.process_time()
        for number in range(commits):
            with warehouse.transaction() as session:
                session.execute("DELETE FROM shop.orders WHERE id = ?", (number,))
                session.execute("INSERT INTO shop.orders VALUES (?, 'changed')", (number,))
            publish_version(warehouse)
        took, worked = time.perf_counter() - began, time.process_time() - work
        here.send("enough")
        alone, meanwhile, errors = here.recv()
        process.join()
        size = f"; catalog {(state / 'lake.sqlite').stat().st_size // 1000} kB" if data is None else ""
        warehouse.close()
        print(
            f"{rows:>12,} rows: one row {1000 * took / commits:.0f} ms, {1000 * worked / commits:.0f} ms of processor "
            f"time; reading alone {_shown(alone)}; meanwhile, {len(meanwhile):,} times, {_shown(meanwhile)}; "
            f"{errors} errors{size}"
        )


def main() -> None:
    """Measure each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 10_000_000])
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--shared", metavar="FOLDER or s3://BUCKET/PREFIX")
    given = parser.parse_args()
    for rows in given.rows:
        measure(rows, given.commits, given.shared)


if __name__ == "__main__":
    main()
