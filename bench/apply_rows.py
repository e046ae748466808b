"""Land, apply and publish rows, compared with raw DuckDB and with dlt's own merge of the same rows.

    python -m bench.apply_rows [--rows 1000000 10000000]

Every measurement is a process of its own, so that its peak memory is its own. ``raw`` creates a table from the same
Arrow batches and copies the file; ``leat`` goes the whole way of a load; ``dlt merge`` loads into DuckDB with
``write_disposition="merge"`` and a primary key.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

BATCH = 50_000
COLUMNS = ("id", "i1", "i2", "i3", "f1", "f2", "s1", "s2", "s3", "at")


def batches(rows: int, generation: int) -> Iterator[pa.Table]:
    """Yield rows of ten columns; every value but the key depends on the generation."""
    for start in range(0, rows, BATCH):
        ids = pa.array(range(start, min(start + BATCH, rows)), pa.int64())
        moved = pc.add(ids, generation)
        text = pc.cast(pc.bit_wise_and(moved, 1023), pa.string())
        yield pa.table(
            [
                ids,
                moved,
                pc.multiply(moved, 3),
                pc.bit_wise_and(moved, 0xFF),
                pc.multiply(pc.cast(moved, pa.float64()), 0.5),
                pc.divide(pc.cast(moved, pa.float64()), 7.0),
                pc.binary_join_element_wise("value", text, " "),
                pc.binary_join_element_wise("label", text, "-"),
                text,
                pc.cast(pc.multiply(moved, 1_000_000), pa.timestamp("us", tz="UTC")),
            ],
            names=list(COLUMNS),
        )


def run_raw(folder: Path, rows: int, generation: int) -> None:
    """Recreate the table from the batches and copy the file: the least that a publication could do."""
    import duckdb

    path = folder / "raw.duckdb"
    connection = duckdb.connect(path)
    connection.execute("SET preserve_insertion_order = false")
    schema = next(batches(1, 0)).schema
    stream = pa.RecordBatchReader.from_batches(  # noqa: F841 - DuckDB finds it by name
        schema, (batch for table in batches(rows, generation) for batch in table.to_batches())
    )
    connection.execute("CREATE OR REPLACE TABLE rows AS SELECT * FROM stream")
    connection.execute("CHECKPOINT")
    connection.close()
    shutil.copyfile(path, folder / "published.duckdb")


def run_leat(folder: Path, rows: int, generation: int) -> None:
    """Go the whole way of a load with a source that yields the batches."""
    from leat.pipelines.declare.project import load_declarations, open_project
    from leat.pipelines.load.engine import Engine, Request
    from leat.pipelines.load.run import run_integration
    from leat.warehouse.connect import open_warehouse
    from leat.warehouse.publication import publish_version

    os.environ |= {"BENCH_ROWS": str(rows), "BENCH_GENERATION": str(generation)}
    project = open_project(folder)
    warehouse = open_warehouse(None, project.state)
    observe = (
        (lambda _n, phase: print(phase, round(time.monotonic() - START, 2), file=sys.stderr))
        if os.environ.get("BENCH_PHASES")
        else (lambda _n, _p: None)
    )
    result = run_integration(
        Engine(project, warehouse, load_declarations(project), observe=observe), "bench", Request()
    )
    publish_version(warehouse)
    if result.status != "loaded":
        raise SystemExit(result.error)


START = time.monotonic()


def run_dlt(folder: Path, rows: int, generation: int) -> None:
    """Load with dlt's merge into a DuckDB file of its own."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt

    resource_ = dlt.resource(
        lambda: batches(rows, generation), name="rows", write_disposition="merge", primary_key="id"
    )
    pipeline = dlt.pipeline(
        "bench_dlt",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="merged",
    )
    pipeline.run(resource_, loader_file_format="parquet")


def prepare(folder: Path) -> None:
    """Write the project whose source yields the batches."""
    source = folder / "sources" / "bench"
    source.mkdir(parents=True)
    types = {"i": "integer", "f": "float", "s": "string"}
    columns = ", ".join(
        f"Column('{c}', '{types.get(c[0], 'timestamp') if c != 'id' else 'integer'}', '')" for c in COLUMNS
    )
    (source / "__init__.py").touch()
    (source / "streams.py").write_text(
        "from leat.sources.stream import Column, Stream\n"
        f"STREAMS = (Stream('rows', 'A row.', ({columns}), ('id',), 'feed'),)\n"
    )
    (source / "arrow.py").write_text(
        "import os\nimport pyarrow as pa\nfrom bench.apply_rows import batches\n"
        "from leat.sources.driver import ConnectionModel\nfrom leat.sources.events import Cursor, Rows\n\n\n"
        "class Connection(ConnectionModel):\n    pass\n\n\n"
        "def extract(connection, sync):\n"
        "    for table in batches(int(os.environ['BENCH_ROWS']), int(os.environ['BENCH_GENERATION'])):\n"
        "        yield Rows('rows', table.append_column('extra', pa.nulls(table.num_rows, pa.string())))\n"
        "    yield Cursor({'generation': os.environ['BENCH_GENERATION']})\n"
    )
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "bench.yaml").write_text("source: bench\ndriver: arrow\n")


def measure(way: str, folder: Path, rows: int, generation: int) -> dict[str, float]:
    """Run one way in a process of its own; returns seconds and peak megabytes."""
    argv = [sys.executable, "-m", "bench.apply_rows", "--one", way, str(folder), str(rows), str(generation)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def one(way: str, folder: str, rows: str, generation: str) -> None:
    """Run one way in this process and print what it took; imports count for nobody."""
    import dlt  # noqa: F401 - imports are not measured
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    import leat.pipelines.load.run
    import leat.warehouse.connect  # noqa: F401

    started = time.monotonic()
    {"raw": run_raw, "leat": run_leat, "dlt": run_dlt}[way](Path(folder), int(rows), int(generation))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.monotonic() - started, "peak_mb": peak}))


def main() -> None:
    """Measure every way at every size and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--without-dlt-above", type=int, default=1_000_000, help="dlt's merge is slow")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(*arguments.one)
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}  rows × {len(COLUMNS)} columns, {os.cpu_count()} cores")
    print(f"{'':26}{'raw':>10}{'leat':>10}{'leat/raw':>10}{'dlt merge':>11}{'dlt/leat':>10}{'leat peak':>12}")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            prepare(folder)
            for generation, name in enumerate(("first load", "update of everything")):
                raw = measure("raw", folder, rows, generation)
                leat = measure("leat", folder, rows, generation)
                slow = measure("dlt", folder, rows, generation) if rows <= arguments.without_dlt_above else None
                merged = (
                    f"{slow['seconds']:10.1f}s{slow['seconds'] / leat['seconds']:9.1f}×"
                    if slow
                    else f"{'–':>11}{'–':>10}"
                )
                print(
                    f"{rows:>11,} {name:14.14}{raw['seconds']:9.1f}s{leat['seconds']:9.1f}s"
                    f"{leat['seconds'] / raw['seconds']:9.1f}×{merged}{leat['peak_mb']:9.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
