"""Machines: a namespace each for its network, its name and its processes, on one bridge.

Nothing in them reaches the network of the real machine, nor is reached from there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = "10.77.0.0/24"
HERE = "10.77.0.1"
"""The address of the bridge, where the bench itself is."""


def enter(argv: Sequence[str]) -> int:
    """Run a command in namespaces of its own, which end with it; returns its exit code."""
    unshare = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
    reaping = ["bash", "-c", '"$@" & wait $!', "bash"]  # the first process has to wait for those whose parent has ended
    return subprocess.run([*unshare, *reaping, *argv], check=False).returncode


def make_bridge() -> None:
    """Make the network; only within :func:`enter`."""
    for line in ("link set lo up", "link add br0 type bridge", f"addr add {HERE}/24 dev br0", "link set br0 up"):
        _ip(line)


@dataclass
class Machine:
    """A machine that runs one command, and starts it again with the machine.

    Attributes:
        number: of the machine: the last part of its address.
        argv: what it runs.
        env: the variables of that.
        log: where that writes.
    """

    number: int
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    _outer: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)

    @property
    def address(self) -> str:
        """Its address on the bridge."""
        return f"10.77.0.{self.number}"

    def start(self) -> None:
        """Start the machine and its command."""
        shell = f"hostname machine-{self.number}; exec sleep infinity"
        kinds = ["--net", "--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        self._outer = subprocess.Popen(["unshare", *kinds, "sh", "-c", shell], stderr=subprocess.DEVNULL)
        while (
            not (init := self._init())
            or Path(f"/proc/{init}/ns/net").readlink() == Path("/proc/self/ns/net").readlink()
        ):
            time.sleep(0.02)
        _ip(f"link add v{self.number} type veth peer name eth0 netns {init}")
        _ip(f"link set v{self.number} master br0 up")
        for line in ("link set lo up", f"addr add {self.address}/24 dev eth0", "link set eth0 up"):
            subprocess.run([*_within(init, "-n"), "ip", *line.split()], check=True)
        with self.log.open("ab") as out:
            self._running.append(
                subprocess.Popen([*_within(init, "-n", "-u", "-p", "-m"), *self.argv], env=self.env,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            )  # fmt: skip

    def kill(self) -> None:
        """Take the power away: all of its processes end at once."""
        os.kill(int(self._init()), signal.SIGKILL)
        for process in self._running:
            process.kill()  # nsenter stops with what it has started, and wouldn't notice the end
        for process in (*([self._outer] if self._outer else []), *self._running):
            process.wait()
        self._running.clear()

    def pids(self, pattern: str = "") -> list[int]:
        """Return its processes whose command line has a text, as they are numbered here."""
        init = self._init()
        if not init:
            return []
        own = Path(f"/proc/{init}/ns/pid").readlink()
        its_own: list[int] = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                there = (path / "ns" / "pid").readlink() == own and path.name != init
                if there and pattern in (path / "cmdline").read_bytes().replace(b"\0", b" ").decode():
                    its_own.append(int(path.name))
            except OSError:
                continue
        return its_own

    def signal(self, number: signal.Signals, pattern: str = "") -> int:
        """Send a signal to its processes whose command line has a text; returns to how many."""
        sent = 0
        for pid in self.pids(pattern):
            try:
                os.kill(pid, number)
                sent += 1
            except ProcessLookupError:
                continue
        if number is signal.SIGCONT:
            for process in self._running:
                process.send_signal(number)
        return sent

    def cut_off(self, *, cut: bool) -> None:
        """Cut it off the network, or connect it again."""
        _ip(f"link set v{self.number} {'down' if cut else 'up'}")

    def _init(self) -> str:
        if self._outer is None or self._outer.poll() is not None:
            return ""
        path = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        return path.read_text().strip()


def _within(init: str, *kinds: str) -> list[str]:
    return ["nsenter", "-t", init, *kinds, "--"]


def _ip(line: str) -> None:
    subprocess.run(["ip", *line.split()], check=True)
