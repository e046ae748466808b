"""Two `leat serve` behind a real haproxy under load: ``python -m bench.rolling``. It needs haproxy 2.6 and Postgres.

Both are restarted one after the other, three times, then one is killed. Printed are the requests that failed, and the
longest time from one answer to a client to its next.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.kit.command import LEAT, ROOT, Leat, tally_project
from tests.servers.postgres import postgres_url, start_postgres, stop_postgres

_DRAIN = 4
_CLIENTS = 8


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="leat-rolling-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_postgres(folder, fsync=False)
        try:
            _measure(folder, postgres_url(server))
        finally:
            stop_postgres(server)


class Load:
    """Clients that ask all the time."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.sent = url, {"authorization": f"Bearer {token}"}
        self.good = self.bad = 0
        self.gap, self._last = 0.0, [time.monotonic()] * _CLIENTS
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        session = requests.Session()
        while not self._ended.is_set():
            try:
                # each with a token of its own kind, so that haproxy spreads them; half of them sign in nowhere
                headers = self.sent if number % 2 else {"authorization": f"Bearer client-{number}"}
                path = "/v1/me" if number % 2 else "/livez"
                right = session.get(self.url + path, headers=headers, timeout=10).status_code == 200
            except requests.RequestException:
                right = False
            with self._lock:
                now = time.monotonic()
                if right:
                    self.good, self.gap = self.good + 1, max(self.gap, now - self._last[number])
                    self._last[number] = now
                else:
                    self.bad += 1
            time.sleep(0.01)

    def take(self, what: str) -> None:
        """Print what happened since the last time."""
        with self._lock:
            print(f"{what}: {self.good} answered, {self.bad} failed, a client waited at most {self.gap:.2f} s")
            self.good = self.bad = 0
            self.gap = 0.0

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        for thread in self._threads:
            thread.join()


def _measure(folder: Path, database: str) -> None:
    project = folder / "project"
    project.mkdir()
    base = tally_project(project, LEAT_WAREHOUSE=database, LEAT_CONTROL=database)
    ports = [_free() for _ in range(3)]
    machines = [
        Leat(project, {**base.variables, "LEAT_HOME": str(folder / str(n)), "LEAT_SERVER": str(n)}) for n in (0, 1)
    ]
    token = machines[0].json("tokens", "create", "bench", "--expires", "P1D")["token"]
    running = [_start(leat, port) for leat, port in zip(machines, ports, strict=False)]
    for port in ports[:2]:
        _until(lambda port=port: _ready(port))  # type: ignore[misc]
    proxy = subprocess.Popen(["haproxy", "-q", "-db", "-f", _configured(folder, ports)], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{ports[2]}"
    _until(lambda: requests.get(f"{url}/livez", timeout=5).status_code == 200)
    load = Load(url, token)
    try:
        time.sleep(3)
        load.take("nothing happens")
        for turn in range(3):
            for n in (0, 1):
                running[n].send_signal(signal.SIGTERM)
                running[n].wait(60)
                running[n] = _start(machines[n], ports[n])
                _until(lambda n=n: _ready(ports[n]))  # type: ignore[misc]
                time.sleep(2)
            load.take(f"rolling restart {turn + 1}")
        os.kill(running[0].pid, signal.SIGKILL)
        time.sleep(8)
        load.take("kill -9")
    finally:
        load.end()
        proxy.terminate()
        for process in running:
            process.terminate()
            process.wait(60)


def _start(leat: Leat, port: int) -> subprocess.Popen[bytes]:
    argv = [LEAT, "serve", "--port", str(port), "--drain", str(_DRAIN)]
    return subprocess.Popen(argv, cwd=leat.folder, env=leat.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _configured(folder: Path, ports: list[int]) -> str:
    """Write docs/haproxy.cfg with the ports of this machine, and without TLS."""
    text = (ROOT / "docs" / "haproxy.cfg").read_text(encoding="utf-8")
    text = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{ports[2]}", text)
    text = text.replace("hdr Host leat.example.com", "hdr Host 127.0.0.1").replace(" httponly secure", " httponly")
    text = text.replace("X-Forwarded-Proto https", "X-Forwarded-Proto http")
    for address, port in (("10.0.0.11:8765", ports[0]), ("10.0.0.12:8765", ports[1])):
        text = text.replace(address, f"127.0.0.1:{port}")
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return str(path)


def _ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if holds():
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    main()
