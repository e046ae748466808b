"""A Ray head in a network and a name space of processes of its own, so that nobody else reaches it and all of it ends.

Ray's processes listen on all addresses of the machine, and `ray stop` ends those of others, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.forkserver import ensure_running
from pathlib import Path

import pytest
import requests

from tests.kit.child import wait_until
from tests.kit.command import NETWORK, ROOT, enter_network

ADDRESS = "10.77.0.1"
"""Not 127.0.0.1: with that, Ray listens on less than it does on a real machine."""
URL = f"http://{ADDRESS}:8265"
OPTIONS = (
    re.findall(r"^ray start --head (.*?)\n```", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL | re.MULTILINE)[0]
    .replace("\\\n", " ").replace("10.0.0.10", ADDRESS).split()
)  # fmt: skip
"""Of `ray start`, as the documentation has them."""
_SIOCSIFFLAGS, _SIOCSIFADDR, _IFF_UP = 0x8914, 0x8916, 1
PATIENT = {
    "RAY_raylet_start_wait_time_s": "180",  # Ray gives up after 30 seconds; a machine that runs tests may need more
    "RAY_agent_register_timeout_ms": "180000",
    "PYTHONPATH": str(Path(__file__).parent / "production"),
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "180",
    "RAY_prestart_worker_first_driver": "0",  # a process for each processor, whether a job comes or not
}
"""Variables of Ray's processes where they share few cores with others."""
_BIN = Path(sys.executable).parent


def listening() -> set[tuple[int, str]]:
    """Return the ports of this thread's network that something listens on, and on which address."""
    result = set()
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/thread-self/net", name).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if state == "0A":  # LISTEN, see linux/net/tcp_states.h
                number = int.from_bytes(bytes.fromhex(address[-8:])[::-1])
                result.add((int(port, 16), str(ipaddress.IPv4Address(number))))
    return result


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Give this thread, and what it starts, a network that has only 127.0.0.1 and ADDRESS; needs to be root.

    The server that forks processes is started before, or it would be in this network for all tests that follow.
    """
    ensure_running()
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(NETWORK) != 0:
            pytest.skip(f"no network of its own for Ray: {os.strerror(ctypes.get_errno())}; run the tests as root")
        try:
            with socket.socket() as any_socket:  # see netdevice(7)
                up = struct.pack("16sh22x", b"lo", _IFF_UP)
                fcntl.ioctl(any_socket, _SIOCSIFFLAGS, up)
                alias = struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
                fcntl.ioctl(any_socket, _SIOCSIFADDR, alias)
            yield
        finally:
            enter_network(Path(f"/proc/self/fd/{before}"))
    finally:
        os.close(before)


@dataclass
class Cluster:
    """A head that runs jobs itself.

    Attributes:
        folder: where its files are.
        variables: the environment of its jobs.
        token: what it wants of who asks.
    """

    folder: Path
    variables: Mapping[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes jobs."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start it; meanwhile something else can be done."""
        path = self.folder / "token"
        path.write_text(self.token)
        argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", str(_BIN / "ray"), "start", "--head"]
        argv += ["--block", "--disable-usage-stats", "--temp-dir", str(self.folder), *OPTIONS, "--num-cpus", "4"]
        argv += ["--object-store-memory", "80000000"]
        env = {
            "PATH": f"{_BIN}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            **PATIENT,
            **self.variables,
            **self.access,
        }
        log = (self.folder / "head.log").open("ab")
        self._process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()

    def wait(self) -> None:
        """Wait until it takes jobs."""
        try:
            wait_until(self._takes_jobs, 200, every=0.25)
        except AssertionError as error:
            error.add_note((self.folder / "head.log").read_text())
            raise

    @property
    def access(self) -> dict[str, str]:
        """The environment of who may ask it."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.folder / "token")}

    def _takes_jobs(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "head.log").read_text()
        with contextlib.suppress(requests.RequestException):
            nodes = self.get("/nodes?view=summary").json()["data"]["summary"]
            return any(node["raylet"].get("state") == "ALIVE" for node in nodes)
        return False

    def get(self, path: str, token: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return requests.get(URL + path, headers=headers, timeout=30)

    def kill(self) -> None:
        """Kill the head with all of its processes, jobs included."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pid_of(self, job: str) -> int | None:
        """Return the process of a job, as it is called outside; None while it isn't there."""
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_text().split("\0")
                environ = (path / "environ").read_text()
                if words[2:5] == ["run", job, "--json"] and str(self.folder) in environ:
                    return int(path.name)
        return None
