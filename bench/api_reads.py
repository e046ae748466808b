"""Reads of the API a second, by a running ``leat serve`` with 50 connections.

Run: ``python -m bench.api_reads [--project FOLDER] [--seconds N] [--connections N]``. Without ``--project`` it makes a
project of nine integrations with 2,000 runs and 200 violations. The tokens that it makes are revoked at the end.

*with writes* reads ``/v1/me`` while another process writes to the control store 20 times a second, so that leat looks
the token up again and again. The limit is ``/livez``, which needs neither a token nor the log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.webhooks import measured, processor_seconds
from leat.control.engine import open_control, writing
from leat.control.tables import Integration, Run
from tests.kit.api import RULE

LEAT = str(Path(sys.executable).with_name("leat"))
TOKENS = 5
PATHS = ("/livez", "/v1/me", "/v1/integrations", "/v1/runs", "/v1/violations")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=50)
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        project = asked.project or make_project(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        leat = [LEAT, "--project", str(project)]
        port, web, tokens = stack.enter_context(serving(leat))
        print(
            "| path | reads/s | p50 ms | p99 ms | processor µs each | in reads of /livez |\n|---|---|---|---|---|---|"
        )
        limit = None
        for path in (*PATHS, "with writes"):
            real = "/v1/me" if path == "with writes" else path
            heads = [f"GET {real} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {each}\r\n\r\n".encode()
                     for each in tokens]  # fmt: skip
            with _writes(project) if path == "with writes" else contextlib.nullcontext():
                measured(port, heads, 4, 0.5)
                before = processor_seconds(web)
                times = measured(port, heads, asked.connections, asked.seconds)
                each = (processor_seconds(web) - before) / len(times)
            limit = limit or each
            p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
            rate = len(times) / asked.seconds
            print(
                f"| `{path}` | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {each * 1e6:.0f} | {each / limit:.1f} |",
                flush=True,
            )


def make_project(folder: Path) -> Path:
    """Return a project with nine integrations that are loaded, 2,000 runs and 200 violations."""
    from tests.kit.command import tally_project, then
    from tests.kit.project import row, rows

    leat = tally_project(folder)
    declared = (folder / "pipelines" / "tally.yaml").read_text()
    for number in range(8):
        (folder / f"script{number}.jsonl").touch()
        (folder / f"pipelines/more{number}.yaml").write_text(declared.replace("script.jsonl", f"script{number}.jsonl"))
    (folder / "quality" / "rules").mkdir(parents=True)
    (folder / "quality" / "rules" / "labels.sql").write_text(RULE)
    then(leat, rows("fed", *(row(number, f"label {number}") for number in range(200))))
    subprocess.run([LEAT, "--project", str(folder), "run"], check=True, capture_output=True)
    engine, now = open_control(f"sqlite:///{folder}/.leat/control.db"), datetime.now(UTC)
    with writing(engine) as session:
        ids = [row.id for row in session.query(Integration)]
        for number in range(2000):
            began = now - timedelta(minutes=number)
            session.add(Run(id=f"{began:%Y%m%dT%H%M%S%f}-{number:08x}", integration_id=ids[number % len(ids)],
                            trigger="serve", started_at=began, ended_at=began, seconds=1, status="loaded",
                            rows_inserted=number))  # fmt: skip
    engine.dispose()
    return folder


@contextlib.contextmanager
def serving(leat: list[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Give the port, the process id of web and tokens: several, since leat limits what one caller may ask."""
    making = [*leat, "tokens", "create", "bench", "--expires", "P1D", "--json"]
    made = [json.loads(subprocess.run(making, capture_output=True, check=True).stdout) for _ in range(TOKENS)]
    process = subprocess.Popen([*leat, "serve", "--port", "0", "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        children = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "leat.serve.web"], capture_output=True,
                                  check=True)  # fmt: skip
        yield port, int(children.stdout), [each["token"] for each in made]
    finally:
        process.terminate()
        process.wait()
        for each in made:
            subprocess.run([*leat, "tokens", "revoke", each["details"]["id"]], check=True, capture_output=True)


@contextlib.contextmanager
def _writes(project: Path) -> Iterator[None]:
    """Write to the control store 20 times a second; on SQLite any change counts."""
    engine, ended = open_control(f"sqlite:///{project}/.leat/control.db"), threading.Event()

    def write() -> None:
        while not ended.wait(0.05):
            with writing(engine) as session:
                run = session.query(Run).first()
                if run is not None:
                    run.rows_updated += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        engine.dispose()


if __name__ == "__main__":
    main()
