"""How long until others see it: a changed row after what triggers its load, and a webhook after its acknowledgement.

    python -m bench.latency [--times N]

A running `leat serve` is asked on each warehouse. A reader polls with a connection of its own, as an analyst has it:

- *run*: from ``POST /v1/runs`` until a reader sees the row that the load has changed;
- *webhook*: from sending a webhook, which triggers a load, until a reader sees the changed row;
- *event*: from the acknowledgement of a webhook until a reader sees it in ``hooks.events``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import requests

from leat.demo.stripe.webhooks import sign
from tests.kit.command import Leat, tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import Served, served
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres

SECRET = "whsec_of_the_bench"  # noqa: S105 - it protects nothing
_PATIENCE = 30.0
Query = Callable[[str], Any]


def on_duckdb(leat: Leat) -> Query:
    """Return a reader of the published file, which opens it each time, because a publication replaces it."""

    def query(sql: str) -> Any:
        with duckdb.connect(str(leat.folder / ".leat" / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()[0][0]

    return query


@contextlib.contextmanager
def on_postgres(url: str) -> Iterator[Query]:
    """Give a reader of Postgres."""
    connection = psycopg2.connect(url)
    connection.autocommit = True

    def query(sql: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()[0][0]

    yield query
    connection.close()


def seconds_until(condition: Callable[[], bool], began: float) -> float:
    """Poll until something is so; return how long that took."""
    while not condition():
        assert time.perf_counter() < began + _PATIENCE  # noqa: S101 - else nothing was measured
        time.sleep(0.002)
    return time.perf_counter() - began


def measure(leat: Leat, one: Served, token: str, query: Query, times: int) -> dict[str, list[float]]:
    """Return the seconds of each kind."""
    taken: dict[str, list[float]] = {"run": [], "webhook": [], "event": []}
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def shows(number: int) -> Callable[[], bool]:
        return lambda: query("SELECT max(revision) FROM tally.fed") == number

    for number in range(2, times + 2):
        then(leat, rows("fed", row(1, "one", revision=number)))
        began = time.perf_counter()
        session.post(f"{one.url}/v1/runs", json={"integrations": ["tally"]}, timeout=30).raise_for_status()
        taken["run"].append(seconds_until(shows(number), began))
        time.sleep(0.5)  # until the run has ended, and nothing else is under way
    for number in range(times + 2, 2 * times + 2):
        then(leat, rows("fed", row(1, "one", revision=number)))
        body = json.dumps({"id": f"evt_{number}", "type": "thing.changed"}).encode()
        began = time.perf_counter()
        answer = session.post(
            f"{one.url}/hooks/tally", body, headers={"Stripe-Signature": sign(SECRET, body)}, timeout=30
        )
        answer.raise_for_status()
        acknowledged, arrived = (
            time.perf_counter(),
            f"SELECT count(*) FROM hooks.events WHERE event_id = 'evt_{number}'",
        )
        with ThreadPoolExecutor(2) as readers:
            event = readers.submit(seconds_until, lambda arrived=arrived: query(arrived) == 1, acknowledged)
            taken["webhook"].append(seconds_until(shows(number), began))
            taken["event"].append(event.result())
        time.sleep(0.5)
    return taken


def on(folder: Path, times: int, **variables: str) -> dict[str, list[float]]:
    """Serve a project and measure."""
    leat = tally_project(folder, HOOK=SECRET, **variables)
    path = leat.folder / "pipelines" / "tally.yaml"
    path.write_text(path.read_text() + "hooks: {scheme: stripe, secrets: [{env: HOOK}]}\n")
    then(leat, rows("fed", row(1, "one", revision=1)))
    assert leat("run").returncode == 0  # noqa: S101
    token = leat.json("tokens", "create", "bench", "--expires", "P1D")["token"]
    url = variables.get("LEAT_WAREHOUSE")
    reader = on_postgres(url) if url else contextlib.nullcontext(on_duckdb(leat))
    with served(leat) as one, reader as query:
        time.sleep(5)  # until the worker has imported what it needs
        return measure(leat, one, token, query, times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        taken = {"DuckDB": on(Path(folder), times)}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as place:
        server = start_postgres(Path(place))
        try:
            taken["Postgres"] = on(Path(folder), times, LEAT_WAREHOUSE=postgres_url(server))
        finally:
            stop_postgres(server)
    print("| warehouse | from | median | longest |")
    print("|---|---|---|---|")
    for warehouse, kinds in taken.items():
        for kind, seconds in kinds.items():
            print(
                f"| {warehouse} | {kind} | {statistics.median(seconds) * 1000:.0f} ms | {max(seconds) * 1000:.0f} ms |"
            )


if __name__ == "__main__":
    main()
