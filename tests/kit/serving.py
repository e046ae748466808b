"""`leat serve` in tests: as the real processes, and its front alone in a thread of the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import uvicorn

from leat.limits import CONNECTIONS
from leat.serve.front import App, Front
from leat.serve.metrics import Metrics
from leat.serve.options import Options
from leat.serve.protocol import Protocol
from leat.serve.web import make_config
from tests.kit.child import wait_until
from tests.kit.command import Leat


@dataclass
class Served:
    """A running `leat serve`.

    Attributes:
        process: the supervisor.
        url: its address.
        log: the lines of its log so far.
    """

    process: subprocess.Popen[str]
    url: str
    log: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=30, **more)

    def child(self, name: str) -> int | None:
        """Return the process id of web, worker or dagster_project.ui; None while it isn't there."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", rf"leat\.(serve\.)?{name} "],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        return int(children[0]) if children else None

    def kill(self, name: str) -> None:
        """Kill web or worker, as soon as it is there."""
        wait_until(lambda: self.child(name) is not None)
        pid = self.child(name)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def served(leat: Leat, *args: str, **variables: str) -> Iterator[Served]:
    """Run `leat serve` on a free port until the block ends; then it has to end by itself."""
    process = leat.start("serve", "--port", "0", "--json", *args, **variables)
    assert process.stdout is not None
    assert process.stderr is not None
    log: list[dict[str, Any]] = []
    others: list[str] = []

    def read() -> None:
        for line in process.stderr or ():
            try:
                log.append(json.loads(line))
            except ValueError:
                others.append(line)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    try:
        first = process.stdout.readline()
        assert first, others + [str(entry) for entry in log]
        yield Served(process, json.loads(first)["url"], log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
            reading.join(10)
            process.stdout.close()
            process.stderr.close()
    assert others == [], others


class _Threaded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def fronted(
    app: App, hooks: App, *, body_seconds: float = 20, head_seconds: float = 10, connections: int = CONNECTIONS
) -> Iterator[int]:
    """Serve an application behind the real front and protocol, in a thread; gives the port on 127.0.0.1."""

    class Impatient(Protocol):
        pass

    Impatient.head_seconds = head_seconds
    options = Options("/")
    front = Front(app, hooks, options.hosts, Metrics(), body_seconds)
    config = make_config(front, options, Impatient)
    config.limit_concurrency = connections
    server = _Threaded(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def exchange(port: int, *parts: bytes, patience: float = 5) -> bytes:
    """Send bytes to a port of this machine, and return all that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while received := connection.recv(65536):
                answer += received
        return answer
