"""Durable webhooks a second, by `leat serve`, by the least that the work can take, and by FastAPI with SQLite.

Run: ``python -m bench.webhooks [--seconds N] [--connections N]``. Each server is a process of its own and gets the same
signed requests from another process. All of them check the signature and answer when the event is on the disk:

- *leat*: uvicorn, the front, the signature, the segments, as ``leat serve`` has them;
- *bare*, the limit: a plain asyncio protocol that looks for the end of the head, with the same signature and segments;
- *FastAPI and SQLite*, the peer: a route that inserts into a table with ``synchronous = FULL``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import multiprocessing
import resource
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI, Request, Response

from leat.hooks.endpoints import Endpoint
from leat.hooks.segments import SegmentWriter
from leat.pipelines.declare.hooks import Hooks

SECRET = "whsec_of_the_bench"  # noqa: S105 - it protects nothing
BODY = b'{"id": "evt_1", "type": "refund.created", "data": {"object": {"id": "re_1", "amount": 100, "note": "%s"}}}' % (
    b"x" * 900
)
HOOKS = Hooks.model_validate({"scheme": "hmac", "header": "X-Signature", "secrets": {"env": "X"}})
ENDPOINT = Endpoint("pay", HOOKS, [SECRET])
SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest().encode()
REQUEST = (
    b"POST /hooks/pay HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Signature: %s\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (SIGNATURE, len(BODY), BODY)
)


async def _leat(listening: socket.socket, folder: Path) -> None:
    from leat.serve.front import Front
    from leat.serve.hooks import HooksApp
    from leat.serve.metrics import Metrics
    from leat.serve.options import Options
    from leat.serve.web import make_config

    async def nothing(_scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})

    writer, metrics, options = SegmentWriter(folder), Metrics(), Options("/")
    writer.open()
    front = Front(nothing, HooksApp({"pay": ENDPOINT}, writer, metrics), options.hosts, metrics)
    await uvicorn.Server(make_config(front, options)).serve([listening])


class _Bare(asyncio.Protocol):
    """The least: one request at a time, whose head has its length in a place that is fixed."""

    def __init__(self, writer: SegmentWriter) -> None:
        self._writer, self._data = writer, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(b"\r\n\r\n")
        if head < 0 or len(self._data) < head + 4 + len(BODY):
            return
        body, self._data = self._data[head + 4 :], b""
        headers = {b"x-signature": SIGNATURE}
        ENDPOINT.check(headers, body, "")
        self._task = asyncio.ensure_future(self._answer(headers, body))

    async def _answer(self, headers: dict[bytes, bytes], body: bytes) -> None:
        await self._writer.append(lambda seq: ENDPOINT.line(headers, body, seq))
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


async def _bare(listening: socket.socket, folder: Path) -> None:
    writer = SegmentWriter(folder)
    writer.open()
    server = await asyncio.get_running_loop().create_server(lambda: _Bare(writer), sock=listening)
    await server.serve_forever()


async def _fastapi(listening: socket.socket, folder: Path) -> None:
    app = FastAPI()
    database = sqlite3.connect(folder / "hooks.db", check_same_thread=False, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE events (body TEXT)"):
        database.execute(statement)

    @app.post("/hooks/pay")
    async def receive(request: Request) -> Response:
        body = await request.body()
        ENDPOINT.check({b"x-signature": request.headers["x-signature"].encode()}, body, "")
        database.execute("INSERT INTO events VALUES (?)", (body.decode(),))
        return Response()

    config = uvicorn.Config(app, log_config=None, access_log=False)
    await uvicorn.Server(config).serve([listening])


SERVERS: dict[str, Callable[[socket.socket, Path], Any]] = {
    "bare": _bare,
    "leat": _leat,
    "FastAPI and SQLite": _fastapi,
}


def _serve(name: str, listening: socket.socket, folder: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(SERVERS[name](listening, Path(folder)))


async def _load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    """Return the time of each answer; each connection sends the next request when it has the answer to the last."""
    end, times = time.perf_counter() + seconds, list[float]()

    async def one(request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head  # noqa: S101 - else nothing was measured
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0] or 0)
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one(requests[number % len(requests)]) for number in range(connections)))
    return times


def ask(port: int, requests: Sequence[bytes], connections: int, seconds: float, answer: Connection) -> None:
    """Send requests from a process of its own; the answer is the times, sorted."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answer.send(sorted(runner.run(_load(port, requests, connections, seconds))))


def measured(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[float]:
    """Return the sorted times of answers to requests, which the connections send in turn, each one of them."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=ask, args=(port, requests, connections, seconds, there))
    process.start()
    times: list[float] = here.recv()
    process.join()
    return times


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    print("| server | webhooks/s | p50 ms | p99 ms | processor µs each |")
    print("|---|---|---|---|---|")
    for name in SERVERS:
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            process = multiprocessing.Process(target=_serve, args=(name, listening, folder), daemon=True)
            process.start()
            port = listening.getsockname()[1]
            measured(port, [REQUEST], asked.connections, 0.5)
            before = processor_seconds(int(process.pid or 0))
            times = measured(port, [REQUEST], asked.connections, asked.seconds)
            spent = processor_seconds(int(process.pid or 0)) - before
            process.kill()
            process.join()
        p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
        rate = len(times) / asked.seconds
        print(f"| {name} | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {spent / len(times) * 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
