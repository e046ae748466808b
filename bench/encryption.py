"""What encryption costs: load, publish and query rows in clear, in an encrypted file, and with encrypted columns.

    python -m bench.encryption [--rows 1000000] [--rounds 3]

Every measurement is a process of its own, each way in turn, and of several rounds the fastest counts. What counts is
processor time: other work on the machine hardly changes it. The rows are those of ``bench.apply_rows``; of their ten
columns the three texts are encrypted, one of them joined.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.apply_rows import prepare

WAYS = ("clear", "file", "columns")
STEPS = ("first load", "update", "publication", "opening", "scan", "rows")
SCAN = 'SELECT count(*), sum(i1), sum(i2), sum(f1), sum(f2), max(s1), min(s2), max(s3), max("at") FROM bench."rows"'
ROWS = 'SELECT id, s1, s2, s3 FROM bench."rows" LIMIT 100000'
KEY = "5c" * 32


def one(way: str, folder: Path, step: str, rows: int) -> float:
    """Return the processor seconds of a step, of all threads; imports count for nobody."""
    import dlt  # noqa: F401 - imports are not measured
    import pandas as pd  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    from leat.pipelines.declare.project import load_declarations, open_project
    from leat.pipelines.load.cells import DataKey, Reader
    from leat.pipelines.load.engine import Engine, Request
    from leat.pipelines.load.run import run_integration
    from leat.warehouse.connect import open_warehouse
    from leat.warehouse.duckdb.encryption import PLAIN, FileEncryption, load_ciphers  # noqa: F401
    from leat.warehouse.publication import publish_version

    class Keys:
        def current(self) -> DataKey:
            return DataKey("bench", bytes.fromhex(KEY))

        def hold(self) -> contextlib.AbstractContextManager[DataKey]:
            return contextlib.nullcontext(self.current())

        def find(self, _kid: str) -> DataKey | None:
            return self.current()

    os.environ |= {"BENCH_ROWS": str(rows), "BENCH_GENERATION": "1" if step == "update" else "0"}
    project = open_project(folder)
    encryption = FileEncryption(True, lambda: [KEY]) if way == "file" else PLAIN
    warehouse = open_warehouse(None, project.state, encryption)

    def load() -> None:
        engine = Engine(project, warehouse, load_declarations(project), column_keys=Keys)
        result = run_integration(engine, "bench", Request())
        if result.status != "loaded":
            raise SystemExit(result.error)

    def ask(sql: str) -> None:
        reader = Reader(Keys())
        with warehouse.query(sql) as answer:
            for row in answer.rows:
                for value in row:
                    reader.value(value)

    doing: dict[str, Callable[[], object]] = {
        "publication": lambda: publish_version(warehouse),
        "opening": lambda: ask("SELECT 1"),
        "scan": lambda: ask(SCAN),
        "rows": lambda: ask(ROWS),
    }
    began = time.process_time()
    doing.get(step, load)()
    return time.process_time() - began


def measured(way: str, rows: int) -> dict[str, float]:
    """Return the seconds of each step, and the megabytes of the published file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        if way == "columns":
            options = "streams: {rows: {encrypt: [s1, s2, s3], joined: [s1]}}\n"
            with (folder / "pipelines" / "bench.yaml").open("a") as file:
                file.write(options)
        taken = {}
        for step in STEPS:
            argv = [sys.executable, "-m", "bench.encryption", "--one", way, str(folder), step, str(rows)]
            taken[step] = float(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        taken["MB"] = (folder / ".leat" / "warehouse.duckdb").stat().st_size / 1e6
        return taken


def main() -> None:
    """Measure each way and print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        way, folder, step, rows = arguments.one
        print(one(way, Path(folder), step, int(rows)))
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}  {arguments.rows:,} rows, {os.cpu_count()} cores")
    rounds: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way in WAYS:
            rounds[way].append(measured(way, arguments.rows))
    best = {way: {step: min(each[step] for each in of_way) for step in of_way[0]} for way, of_way in rounds.items()}
    print(json.dumps(best))
    print(f"{'':14}{'clear':>10}{'file':>10}{'ratio':>8}{'columns':>10}{'ratio':>8}")
    for step, clear in best["clear"].items():
        file, columns = best["file"][step], best["columns"][step]
        print(f"{step:14}{clear:10.2f}{file:10.2f}{file / clear:8.2f}{columns:10.2f}{columns / clear:8.2f}")


if __name__ == "__main__":
    main()
