"""Nested records from a JSON API into DuckDB, compared with the limit and with dlt; and pages that take 50 ms each.

    python -m bench.rest_json [--records 20000 200000]

Every measurement is a process of its own, so that its CPU time and peak memory are its own; imports count for nobody.
``read_json`` is the limit: DuckDB reads the same records from files, without HTTP, into a table. ``leat`` goes the
whole way: HTTP, landing, apply, publish; ``extract`` is its extraction alone. ``dlt`` is dlt's ``rest_api`` source with
defaults, ``dlt parquet`` the dicts of its REST client without child tables, landed as parquet.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.rest_server import PAGE, write_pages
from leat.demo.servers.process import Process, free_port, start, stop
from leat.warehouse.publication import publish_version

COLUMNS = {
    **dict.fromkeys(("number", "status", "email", "currency", "note"), "string"),
    **dict.fromkeys(("created_at", "updated_at"), "timestamp"),
    **dict.fromkeys(("address", "tags", "lines"), "json"),
    **{"id": "integer", "total": "float", "paid": "boolean"},
}


def run_read_json(folder: Path, _url: str) -> None:
    import duckdb

    with duckdb.connect(folder / "limit.duckdb") as connection:
        connection.execute("CREATE TABLE orders AS SELECT * FROM read_json(?)", [str(folder / "pages" / "*.array")])


def run_leat(folder: Path, url: str) -> None:
    from leat.pipelines.declare.project import load_declarations, open_project
    from leat.pipelines.load.engine import Engine, Request
    from leat.pipelines.load.run import run_integration
    from leat.warehouse.connect import open_warehouse

    project = open_project(declare(folder / "leat", url))
    warehouse = open_warehouse(None, project.state)
    result = run_integration(Engine(project, warehouse, load_declarations(project)), "orders", Request())
    publish_version(warehouse)
    if result.status != "loaded":
        raise SystemExit(result.error)


def run_extract(folder: Path, url: str) -> None:
    """Extract alone, with what the environment says of requests in flight and of the rate."""
    from leat.pipelines.declare.project import load_declarations, open_project
    from leat.sources.driver import Sync
    from leat.sources.rest_api.http.driver import extract

    more: dict[str, Any] = json.loads(os.environ.get("BENCH_CONNECTION", "{}"))
    project = open_project(declare(folder / f"extract-{len(os.environ.get('BENCH_CONNECTION', ''))}", url, **more))
    connection: Any = load_declarations(project)["orders"].connection
    own = project.state / "sources" / "orders"
    own.mkdir(parents=True, exist_ok=True)
    for _event in extract(connection, Sync("orders", frozenset({"orders"}), None, folder, own, datetime.now(UTC))):
        pass


def run_dlt(folder: Path, url: str) -> None:
    from dlt.sources.rest_api import rest_api_source

    paginator = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
    endpoint = {"path": "page", "data_selector": "data", "paginator": {**paginator, "stop_after_empty_page": True}}
    source = rest_api_source({"client": {"base_url": url}, "resources": [{"name": "orders", "endpoint": endpoint}]})
    _pipeline(folder, "defaults").run(source)


def run_dlt_parquet(folder: Path, url: str) -> None:
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

    paginator = PageNumberPaginator(base_page=1, page_param="page", total_path=None, stop_after_empty_page=True)
    client = RESTClient(url, paginator=paginator)
    pages = dlt.resource(lambda: client.paginate("page", data_selector="data"), name="orders", max_table_nesting=0)
    _pipeline(folder, "parquet").run(pages, loader_file_format="parquet")


def _pipeline(folder: Path, name: str) -> Any:
    import dlt

    target = dlt.destinations.duckdb(str(folder / f"dlt_{name}.duckdb"))
    return dlt.pipeline(f"bench_{name}", pipelines_dir=str(folder / "dlt"), destination=target, dataset_name="loaded")


def declare(folder: Path, url: str, **more: Any) -> Path:
    """Write the declaration of a project, and return its folder."""
    endpoint = {"path": "page", "records": "data", "key": "id", "deletes": "never", "columns": COLUMNS}
    endpoint["paging"] = {"kind": "pages"}
    connection = {"url": url, "in_flight": 4, **more, "endpoints": {"orders": endpoint}}
    (folder / "pipelines").mkdir(parents=True, exist_ok=True)
    declaration = {"source": "rest_api", "driver": "http", "connection": connection}
    (folder / "pipelines" / "orders.yaml").write_text(json.dumps(declaration))
    return folder


WAYS = {
    "read_json": run_read_json,
    "leat": run_leat,
    "extract": run_extract,
    "dlt": run_dlt,
    "dlt parquet": run_dlt_parquet,
}


def one(way: str, folder: str, url: str) -> None:
    """Run one way in this process and print what it took."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt.sources.rest_api  # noqa: F401 - imports are not measured
    import duckdb  # noqa: F401
    import pandas as pd  # noqa: F401
    from pyarrow import parquet  # noqa: F401

    import leat.pipelines.load.run
    import leat.sources.rest_api.http.driver
    import leat.warehouse.connect  # noqa: F401

    wall, cpu = time.monotonic(), time.process_time()
    WAYS[way](Path(folder), url)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "mb": peak}))


def measure(way: str, folder: Path, url: str, **more: Any) -> dict[str, float]:
    """Run one way in a process of its own; returns seconds of wall clock and CPU, and peak megabytes."""
    argv = [sys.executable, "-m", "bench.rest_json", "--one", way, str(folder), url]
    env = {**os.environ, "BENCH_CONNECTION": json.dumps(more)}
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, env=env)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def served(folder: Path, *options: str) -> Process:
    port = free_port()
    argv = [sys.executable, "-m", "bench.rest_server", str(folder / "pages"), str(port), *options]
    return start("pages", argv, folder, port, env={"PYTHONPATH": str(Path(__file__).parent.parent)})


def compare(records: int, ways: list[str]) -> None:
    """Print what each way takes for a number of records."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pages(folder / "pages", records)
        process = served(folder)
        try:
            for way in ways:
                took = measure(way, folder, f"http://127.0.0.1:{process.port}/")
                print(
                    f"{records:>10,} {way:14}{took['wall']:8.1f} s{took['cpu']:8.1f} CPU s{took['mb']:8.0f} MB",
                    flush=True,
                )
        finally:
            stop(process.pid)


def in_flight(pages: int) -> None:
    """Print what pages of 50 ms take one at a time and eight at a time, and whether leat observed a declared rate."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_pages(folder / "pages", PAGE)
        whole = (folder / "pages" / "1.json").read_text()
        rows = json.loads(whole)["data"]
        for number in range(1, pages + 1):
            few = rows[(number * 7) % 900 : (number * 7) % 900 + 20 + number % 3]
            (folder / "pages" / f"{number}.json").write_text(
                json.dumps({"data": [{**row, "page": number} for row in few]})
            )
        for way in ({"in_flight": 1}, {"in_flight": 8}, {"in_flight": 8, "rate": 40}):
            process = served(folder, "--delay", "0.05")
            try:
                took = measure("extract", folder, f"http://127.0.0.1:{process.port}/", **way)
            finally:
                stop(process.pid)
            at = sorted(json.loads((folder / "pages" / "seen").read_text()))
            most = max(sum(1 for each in at if first <= each < first + 1) for first in at)
            print(
                f"{pages} pages of 50 ms, {way}: {took['wall']:.1f} s, at most {most} requests in a second", flush=True
            )


def main() -> None:
    """Measure all and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--dlt-up-to", type=int, default=20_000, help="dlt's defaults need 9 GB for ten times as many")
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(*arguments.one)
        return
    for records in arguments.records:
        slow = ["dlt parquet", *(["dlt"] if records <= arguments.dlt_up_to else [])]
        compare(records, ["read_json", "extract", "leat", *slow])
    in_flight(arguments.pages)


if __name__ == "__main__":
    main()
