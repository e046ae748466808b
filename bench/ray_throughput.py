"""What four machines of a Ray cluster do in the time of one: ``python -m bench.ray_throughput [--runs N] [--pages N]``.

Run as root. The head, each worker, and Postgres is a machine with a network of its own; all have the same cores. Each
worker runs one job at a time. Runs that wait for their system read pages, each of which comes after 50 ms; runs that
don't wait read rows that come at once. Printed is the time from `leat run --on` to its end. It ends with an error if
four workers aren't 3.5 times as fast at waiting, or need more than 1.1 times as long where nothing waits.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2

from bench.fleet.machines import HERE, Machine, enter, make_bridge
from bench.fleet.ray import ray_machine, wait_for_cluster
from tests.kit.command import ROOT, Leat
from tests.servers.postgres import USER

_HEAD, _DATABASE, _WORKERS = 2, 3, (11, 12, 13, 14)
_DELAY = 0.05
_AT_ONCE_PAGES, _ROWS = 60, {"wait": 20, "work": 1000}
_DECLARATION = """\
source: rest_api
driver: http
connection:
  url: http://{address}/
  endpoints:
    items:
      path: {kind}/{pages}
      paging: {{kind: cursor, field: next, param: after}}
      records: data
      key: id
      columns: {{id: integer, amount: integer, label: string}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--pages", type=int, default=400, help="of a run that waits for them")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.within:
        raise SystemExit(enter([sys.executable, "-m", "bench.ray_throughput", *sys.argv[1:], "--within"]))
    make_bridge()
    with tempfile.TemporaryDirectory(prefix="leat-ray-", dir="/tmp") as name, _pages() as address:
        Path(name).chmod(0o755)
        seconds = _measure(Path(name), given, address)
    print(f"| {given.runs} runs | 1 worker | 4 workers | times as fast |\n|---|---|---|---|")
    for kind, what in (("wait", f"that wait for {given.pages} pages"), ("work", f"of {_AT_ONCE_PAGES * 1000} rows")):
        one, four = seconds[1, kind], seconds[4, kind]
        print(f"| {what} | {one:.1f} s | {four:.1f} s | {one / four:.2f} |")
    if seconds[1, "wait"] < 3.5 * seconds[4, "wait"] or seconds[4, "work"] > 1.1 * seconds[1, "work"]:
        msg = "four workers are too slow"
        raise SystemExit(msg)


def _measure(folder: Path, given: argparse.Namespace, address: str) -> dict[tuple[int, str], float]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    data = folder / "postgres"
    argv = [sys.executable, "-m", "bench.fleet.database", str(data), "5432"]
    database = Machine(_DATABASE, argv, env, folder / "database.log")
    with contextlib.ExitStack() as stack:
        stack.callback(database.kill)  # before the folder goes
        database.start()
        url = _database_url(data, database.address)
        (folder / "token").write_text(secrets.token_hex(32))
        variables = {
            "LEAT_WAREHOUSE": url,
            "LEAT_CONTROL": url,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        }
        leat = Leat(folder / "project", {**variables, "LEAT_HOME": str(folder / "here")})
        (leat.folder / "pipelines").mkdir(parents=True)
        (folder / "ray").mkdir()
        head = ray_machine(_HEAD, _HEAD, folder, leat, 0)
        workers = [ray_machine(number, _HEAD, folder, leat, 1) for number in _WORKERS]
        seconds = {}
        for count, machines in ((1, [head, workers[0]]), (4, workers[1:])):
            for machine in machines:
                stack.callback(machine.kill)
                machine.start()
            wait_for_cluster(f"http://{head.address}:8265", (folder / "token").read_text(), 1 + count)
            for kind, pages in (("wait", given.pages), ("work", _AT_ONCE_PAGES)):
                names = _declare(leat, f"{kind}_{count}", given.runs, address=address, kind=kind, pages=pages)
                seconds[count, kind] = _run(leat, f"http://{head.address}:8265", names)
        return seconds


def _declare(leat: Leat, prefix: str, count: int, **values: Any) -> list[str]:
    names = [f"{prefix}_{number}" for number in range(count)]
    for name in names:
        (leat.folder / "pipelines" / f"{name}.yaml").write_text(_DECLARATION.format(**values))
    return names


def _run(leat: Leat, url: str, names: list[str]) -> float:
    began = time.monotonic()
    with leat.start("run", *names, "--on", url, "--json") as process:
        out, err = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode != 0 or {each["status"] for each in json.loads(out)["integrations"]} != {"loaded"}:
        raise SystemExit(out + err)
    return seconds


def _database_url(data: Path, address: str) -> str:
    while True:
        try:
            password = (data / "password").read_text(encoding="ascii")
            url = f"postgresql://{USER}:{password}@{address}:5432/postgres?sslmode=disable"
            psycopg2.connect(url).close()
        except (OSError, psycopg2.OperationalError):
            time.sleep(0.1)
        else:
            return url


@contextlib.contextmanager
def _pages() -> Iterator[str]:
    """Serve pages: ``/wait/N`` has N of them, each of which comes late, and ``/work/N`` N that come at once."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            _, kind, pages = path.split("/")
            page = int(query.rpartition("after=")[2] or 1)
            rows = [{"id": page * 10_000 + n, "amount": n, "label": f"item {n} of {page}"} for n in range(_ROWS[kind])]
            content = json.dumps({"data": rows, "next": page + 1 if page < int(pages) else None}).encode()
            if kind == "wait":
                time.sleep(_DELAY)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    server = ThreadingHTTPServer((HERE, 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{HERE}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
