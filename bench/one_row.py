"""What one changed row costs in a table of any size, from the request of a run until a reader sees it.

    python -m bench.one_row [--rows N …] [--times N] [--on ducklake postgres duckdb] [--dlt-up-to N]

A running `leat serve` loads a stream, and so many rows are added to its table, as a load would have left them. Then one
row changes again and again, each time another one. Measured are the seconds from ``POST /v1/runs`` until a reader
with a session of its own sees the row, and the processor seconds of `leat serve`, with those of the Postgres server.
Goal: at most 1.2 times from the smallest table to the largest, and under a second. The peer is dlt, which merges one
row with its defaults into a table of as many rows in the same server, or in a DuckDB file, in a warm process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import requests

from bench.latency import seconds_until
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from leat.warehouse.session import Warehouse, execute_all, quote
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import Served, served
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres

_SHELF = "a"
_WARM = 5
"""So many changes are made before the first that is measured."""
_DLT_TABLE = "things"


def main() -> None:
    """Measure each engine with each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 10_000_000])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--on", nargs="+", default=["ducklake", "postgres"], choices=["ducklake", "postgres", "duckdb"])
    parser.add_argument("--dlt-up-to", type=int, default=10_000_000, help="dlt reads the whole table each time")
    given = parser.parse_args()
    print("| warehouse | rows | leat, median | longest | processor time | ratio | dlt, median | dlt / leat |")
    print("|---|---|---|---|---|---|---|---|")
    for engine in given.on:
        smallest = 0.0
        for count in given.rows:
            with _database(engine) as url:
                seconds, busy = _measure_leat(engine, url, count, given.times)
                peer = _measure_dlt(engine, url, count, given.times) if count <= given.dlt_up_to else None
            median = statistics.median(seconds)
            smallest = smallest or median
            merged = f"{1000 * peer:,.0f} ms | {peer / median:.1f}" if peer else "- | -"
            shown = " | ".join(f"{1000 * each:.0f} ms" for each in (median, max(seconds), busy))
            print(f"| {engine} | {count:,} | {shown} | {median / smallest:.2f} | {merged} |", flush=True)


@contextlib.contextmanager
def _database(engine: str) -> Iterator[str]:
    """Give the URL of an empty warehouse."""
    if engine != "postgres":
        yield engine
        return
    with tempfile.TemporaryDirectory() as folder:
        server = start_postgres(Path(folder))
        try:
            yield postgres_url(server)
        finally:
            stop_postgres(server)


def _measure_leat(engine: str, url: str, count: int, times: int) -> tuple[list[float], float]:
    """Return the seconds of each change, and the processor seconds of one."""
    with tempfile.TemporaryDirectory() as name:
        leat = tally_project(Path(name), **({} if engine == "duckdb" else {"LEAT_WAREHOUSE": url}))
        then(leat, rows("fed", row(0, "first", _SHELF, revision=0)))
        assert leat("run").returncode == 0  # noqa: S101
        warehouse = open_warehouse(url, leat.folder / ".leat")
        _fill(warehouse, count)
        if engine != "postgres":
            warehouse.close()
            warehouse = open_warehouse(url, leat.folder / ".leat")
        token = leat.json("tokens", "create", "bench", "--expires", "P1D")["token"]
        with served(leat) as one:
            time.sleep(5)  # until the worker has imported what it needs
            try:
                return _change(leat, one, token, warehouse, count, times, engine)
            finally:
                warehouse.close()


def _fill(warehouse: Warehouse, count: int) -> None:
    """Add rows that are like the first one."""
    with warehouse.transaction() as session:
        names = [each for each in session.columns("tally", "fed") if each not in ("id", "label")]
        listed = ", ".join(map(quote, names))
        session.execute(
            f"INSERT INTO tally.fed (id, label, {listed}) SELECT n, 'thing ' || CAST(n AS VARCHAR), {listed} "
            f"FROM tally.fed, generate_series(1, {count}) AS g(n)"
        )
        execute_all(session, session.dialect.gather_statistics("tally.fed"))
    publish_version(warehouse)


def _change(
    leat: Leat, one: Served, token: str, warehouse: Warehouse, count: int, times: int, engine: str
) -> tuple[list[float], float]:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    chance, seconds, busy = random.Random(1), [], 0.0  # noqa: S311 - no secret
    for number in range(1, _WARM + times + 1):
        changed = chance.randrange(1, count)
        then(leat, rows("fed", row(changed, "changed", _SHELF, revision=number)))
        if number == _WARM + 1:
            busy = _processor_seconds(one, engine)
        began = time.perf_counter()
        session.post(f"{one.url}/v1/runs", json={"integrations": ["tally"]}, timeout=30).raise_for_status()
        seconds.append(seconds_until(_shows(warehouse, changed, number), began))
        time.sleep(0.5)  # until the run has ended, and nothing else is under way
    return seconds[_WARM:], (_processor_seconds(one, engine) - busy) / times


def _shows(warehouse: Warehouse, changed: int, number: int) -> Any:
    sql = f"SELECT revision FROM tally.fed WHERE shelf = '{_SHELF}' AND id = {changed}"

    def shows() -> bool:
        with warehouse.published() as session:
            return session.execute(sql) == [(number,)]

    return shows


def _processor_seconds(one: Served, engine: str) -> float:
    """Return what `leat serve` and all of its processes, and Postgres with its own, have had."""
    roots = {one.process.pid}
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, rest = path.read_text().rpartition(")")
            fields = rest.split()
            stats[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])), head)
            if engine == "postgres" and "(postgres" in head:
                roots.add(int(path.parent.name))
    own = set(roots)
    while more := {pid for pid, (parent, _, _) in stats.items() if parent in own} - own:
        own |= more
    return sum(stats[pid][1] for pid in own if pid in stats) / os.sysconf("SC_CLK_TCK")


def _measure_dlt(engine: str, url: str, count: int, times: int) -> float:
    """Return the median seconds of a merge of one row by dlt."""
    import dlt

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "dlt.duckdb"
        postgres = engine == "postgres"
        where = dlt.destinations.postgres(url) if postgres else dlt.destinations.duckdb(str(file))
        pipeline = dlt.pipeline("bench_one_row", pipelines_dir=name, destination=where, dataset_name="peer")

        def merge(key: int) -> None:
            record = {"id": key, "shelf": _SHELF, "label": "changed", "revision": key}
            pipeline.run([record], table_name=_DLT_TABLE, write_disposition="merge", primary_key=["shelf", "id"])

        merge(0)
        more = (
            f"INSERT INTO peer.{_DLT_TABLE} (id, shelf, label, revision, _dlt_load_id, _dlt_id) SELECT n, shelf, "
            f"'thing ' || CAST(n AS VARCHAR), 0, _dlt_load_id, 'row' || CAST(n AS VARCHAR) FROM peer.{_DLT_TABLE}, "
            f"generate_series(1, {count}) AS g(n)"
        )
        if postgres:
            with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
                cursor.execute(more)
        else:
            with duckdb.connect(str(file)) as duck:
                duck.execute(more)
        seconds = []
        for key in range(1, min(times, 5) + 1):
            began = time.perf_counter()
            merge(key)
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds)


if __name__ == "__main__":
    main()
