"""How fast actions are sent, compared with the disk; how many succeed at a server that fails; a peer.

    python -m bench.actions [--peer PROGRAM]

The server is a fake of the tests in a process of its own: no real one fails on demand. The limits are measured in the
same run: how often a second this disk can be waited for, and how many transactions SQLite can commit durably.

The peer is drt (package ``drt-core[duckdb]``), which sends the rows of a query to a REST API without plans, approvals
or a probe. Both send 20,000 records in requests of 500 to a server that takes 50 ms for each. PROGRAM is an installed
``drt``; without it, only leat is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import yaml

from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.actions.office import Office
from leat.actions.propose import Wish, draft
from leat.control.outbox import ActionRow, add_actions, read_actions
from leat.control.store import open_control
from leat.pipelines.declare.project import Project, load_declarations
from tests.kit.acting import Acting, Desk, desk_server

ACTIONS, RECORDS, ITEMS, LATENCY = 500, 20_000, 500, 0.05
FAILING, FAULTS = 1_000, ("cut", "lost", "slow", "429", "500", "503")
SHARE = 0.1
"""Of all requests, how many fail in the measurement of success."""


def _desk(pipe: Connection, faults: list[str]) -> None:
    with desk_server() as desk:
        desk.faults = faults
        pipe.send(desk.url)
        pipe.recv()


def _records(pipe: Connection, _faults: list[str]) -> None:
    """Serve an API that stores records by their key, and knows each Idempotency-Key again."""
    stored: dict[str, Any] = {}
    seen: dict[str, int] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            records = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["records"]
            time.sleep(LATENCY)
            with lock:
                key = self.headers["Idempotency-Key"] or ""
                if key not in seen:
                    stored.update((each["id"], each) for each in records)
                    seen[key] = len(records)
            self._answer({"stored": len(records), "key": key})

        def do_GET(self) -> None:
            with lock:
                key = self.path.rpartition("/")[2]
                self._answer({"stored": len(stored) if key == "records" else seen.get(key)})

        def _answer(self, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(f"http://127.0.0.1:{server.server_address[1]}")
    pipe.recv()


@contextmanager
def served(target: Any, faults: list[str]) -> Iterator[str]:
    """Run a server in a process of its own, and give its URL."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(there, faults))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def limits(folder: Path) -> tuple[float, float]:
    """Return how often a second a file can be synced here, and how many transactions SQLite commits durably."""
    with (folder / "synced").open("wb") as file:
        begun = time.monotonic()
        for _ in range(ACTIONS):
            file.write(b"x" * 100)
            file.flush()
            os.fdatasync(file.fileno())
        synced = ACTIONS / (time.monotonic() - begun)
    with sqlite3.connect(folder / "limit.db", isolation_level=None) as store:
        store.execute("PRAGMA journal_mode = wal")
        store.execute("PRAGMA synchronous = full")
        store.execute("CREATE TABLE t (x)")
        begun = time.monotonic()
        for number in range(ACTIONS):
            store.execute("INSERT INTO t VALUES (?)", (number,))
        return synced, ACTIONS / (time.monotonic() - begun)


def planned(office: Office, wishes: list[Wish]) -> list[ActionRow]:
    """Plan many actions of one integration, and approve them."""
    with office.connected(wishes[0].integration) as system:
        drafts = [draft(office, each, system) for each in wishes]
    add_actions(office.store, drafts, datetime.now(UTC))
    rows = read_actions(office.store, states=["planned"])
    for row in rows:
        approve(office.store, row, "bob")
    return rows


def desk_actions(verb: str, count: int, faults: list[str], patience: float) -> tuple[float, dict[str, int]]:
    """Send marks to a desk; return the seconds until all are confirmed, and how many are in which state."""
    with tempfile.TemporaryDirectory() as temporary, served(_desk, faults) as url:
        acting = Acting(Path(temporary), f"sqlite:///{temporary}/.leat/control.db")
        acting.declare(Desk(url=url))
        with acting.office() as office:
            rows = planned(office, [Wish("desk", verb, {"place": f"p{n}", "value": 1}, "ann") for n in range(count)])
            begun = time.monotonic()
            deliver(office, "desk", patience=patience)
            seconds = time.monotonic() - begun
            states: dict[str, int] = {}
            for row in read_actions(office.store, ids=[row.id for row in rows]):
                states[row.state] = states.get(row.state, 0) + 1
            return seconds, states


def rest_actions() -> float:
    """Plan, approve, send and confirm 20,000 records as actions of 500 each, 16 at a time; return the seconds."""
    declared = {
        "description": "Store records.",
        "title": "store {{ records | length }} records",
        "parameters": {"records": {"type": "json", "required": True}},
        "request": {"path": "/records", "body": {"records": "{{ records }}"}},
        "idempotency_header": "Idempotency-Key",
        "result": {"batch": "key"},
        "confirm": {"path": "/batches/{batch}", "expect": {"stored": ITEMS}},
    }
    with tempfile.TemporaryDirectory() as temporary, served(_records, []) as url:
        folder = Path(temporary)
        endpoints = {"records": {"path": "/records", "key": "id", "columns": {"id": "string"}}}
        connection = {"url": url, "in_flight": 16, "endpoints": endpoints, "actions": {"store": declared}}
        (folder / "pipelines").mkdir()
        body = {"source": "rest_api", "driver": "http", "connection": connection, "streams": {"records": {}}}
        (folder / "pipelines" / "api.yaml").write_text(yaml.safe_dump(body))
        project = Project(folder, folder / ".leat", None, f"sqlite:///{folder}/.leat/control.db")
        store = open_control(project.control_url)
        office = Office(store, project, load_declarations(project))
        groups = [records[at : at + ITEMS] for records in [made()] for at in range(0, RECORDS, ITEMS)]
        begun = time.monotonic()
        rows = planned(office, [Wish("api", "store", {"records": group}, "ann") for group in groups])
        deliver(office, "api", patience=10)
        seconds = time.monotonic() - begun
        states = {row.state for row in read_actions(store, ids=[row.id for row in rows])}
        if states != {"confirmed"}:
            msg = f"not all were confirmed: {states}"
            raise SystemExit(msg)
        store.dispose()
        return seconds


def made() -> list[dict[str, Any]]:
    """Return the records."""
    return [{"id": f"r{n}", "name": f"name {n}", "amount": n} for n in range(RECORDS)]


def peer(program: str) -> float:
    """Let drt send the same records in requests of the same size; return the seconds of its command."""
    with tempfile.TemporaryDirectory() as temporary, served(_records, []) as url:
        folder = Path(temporary)
        with duckdb.connect(str(folder / "rows.duckdb")) as database:
            database.execute(
                "CREATE TABLE records AS SELECT 'r' || n AS id, 'name ' || n AS name, n AS amount"
                f" FROM range({RECORDS}) AS t (n)"
            )
        (folder / ".drt").mkdir()
        profile = {"profiles": {"dev": {"type": "duckdb", "database": str(folder / "rows.duckdb")}}}
        (folder / ".drt" / "profiles.yml").write_text(yaml.safe_dump(profile))
        (folder / "drt_project.yml").write_text(yaml.safe_dump({"name": "p", "version": "0.1", "profile": "dev"}))
        (folder / "syncs").mkdir()
        destination = {
            "type": "rest_api", "url": f"{url}/records", "method": "POST", "body_mode": "batch",
            "headers": {"Content-Type": "application/json"}, "batch_template": '{"records": {{ rows | tojson }}}',
            "native_idempotency_key": "{{ request_id }}",
        }  # fmt: skip
        sync = {
            "name": "store", "model": "SELECT * FROM records", "destination": destination,
            "sync": {"mode": "full", "batch_size": ITEMS, "on_error": "fail"},
        }  # fmt: skip
        (folder / "syncs" / "store.yml").write_text(yaml.safe_dump(sync))
        begun = time.monotonic()
        subprocess.run([program, "run"], cwd=folder, env={**os.environ, "HOME": str(folder)}, check=True)
        return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", metavar="PROGRAM", help="an installed drt")
    program: str | None = parser.parse_args().peer
    with tempfile.TemporaryDirectory() as temporary:
        synced, committed = limits(Path(temporary))
    print(f"{'fdatasync':52}{synced:9.0f} /s")
    print(f"{'durable commits of SQLite':52}{committed:9.0f} /s")
    for verb, how in (("probed", "one after the other"), ("guarded", "in groups of 50")):
        seconds, states = desk_actions(verb, ACTIONS, [], 5)
        rate = states.get("confirmed", 0) / seconds
        print(f"{f'{verb}, {how}, sent and confirmed':52}{rate:9.0f} /s   {committed / rate:.1f} commits each")
    chance = random.Random(1)  # noqa: S311 - the same faults each time
    faults = [chance.choice(FAULTS) if chance.random() < SHARE else "" for _ in range(2 * FAILING)]
    seconds, states = desk_actions("probed", FAILING, faults, 300)
    success = states.get("confirmed", 0) / FAILING
    what = f"of {FAILING:,} at a server that fails {SHARE:.0%} of requests"
    print(f"{what:52}{success:9.1%}    {seconds:.0f} s {states}")
    leat_seconds = rest_actions()
    print(f"{f'{RECORDS:,} records to an API in requests of {ITEMS}':52}{leat_seconds:9.1f} s")
    if program:
        peer_seconds = peer(program)
        print(f"{'the same by drt':52}{peer_seconds:9.1f} s    {peer_seconds / leat_seconds:.1f} times")


if __name__ == "__main__":
    main()
