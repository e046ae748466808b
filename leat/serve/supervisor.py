"""The process that ``leat serve`` is: it owns the listening socket, starts web and worker, and restarts what ends.

Because the socket is not the web process's own, connections wait in its queue while that process starts again. With
socket activation by systemd the socket outlives this process, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType

from leat.serve.options import Options

log = logging.getLogger("leat.serve")

_FIRST_SOCKET = 3  # sd_listen_fds(3)
_STOP_SECONDS = 30.0
_WAITS = (0.0, 0.5, 2.0, 5.0)  # before a process is started again, by how often it has ended early
_EARLY = 10.0


@dataclass(slots=True)
class _Child:
    """A process that is to run."""

    name: str
    descriptors: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    ready: bool = False
    early: int = 0
    not_before: float = 0.0


class Supervisor:
    """Starts the processes and watches them.

    Args:
        options: how to serve.
        announce: called with the options, the port in place, when the web process answers.
    """

    def __init__(self, options: Options, announce: Callable[[Options], None]) -> None:
        self._socket = _listen(options)
        self.options = replace(options, port=self._socket.getsockname()[1])
        self._announce = announce
        self._stopping = self._announced = False
        self._lives, self._life = os.pipe()  # children see its end when this process is gone
        self._ready, ready = os.pipe()
        self._signals, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        self._web = _Child("web", (self._lives, self._socket.fileno(), ready))
        self._children = [self._web, _Child("worker", (self._lives,))]

    def run(self) -> int:
        """Serve until a signal asks to end; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            now = time.monotonic()
            for child in self._children:
                self._look_after(child, now)
            self._wait()
        _notify("STOPPING=1")
        self._stop()
        return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _look_after(self, child: _Child, now: float) -> None:
        if child.process is not None and child.process.poll() is not None:
            lived = now - child.began
            child.early = child.early + 1 if lived < _EARLY and not child.ready else 0
            child.not_before = now + _WAITS[min(child.early, len(_WAITS) - 1)]
            log.error("%s ended with %s after %.0f s; it is started again", child.name, child.process.returncode, lived)
            child.process = None
        if child.process is None and now >= child.not_before:
            self._start(child, now)

    def _start(self, child: _Child, now: float) -> None:
        argv = [sys.executable, "-m", f"leat.serve.{child.name}", self.options.as_json(), *map(str, child.descriptors)]
        child.process = subprocess.Popen(argv, pass_fds=child.descriptors, stdin=subprocess.DEVNULL)
        child.began, child.ready = now, False

    def _wait(self) -> None:
        """Return when a process has ended or is ready, or after half a second."""
        readable, _, _ = select.select([self._signals, self._ready], [], [], 0.5)
        if self._signals in readable:
            os.read(self._signals, 512)
        if self._ready in readable and os.read(self._ready, 512):
            self._web.ready = True
            if not self._announced:  # web also reports when it was started again
                self._announced = True
                self._announce(self.options)
            _notify("READY=1")

    def _stop(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._socket.close()


def _listen(options: Options) -> socket.socket:
    """Return the listening socket: systemd's, where it has given one, or a new one.

    Raises:
        OSError: the port is in use.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=_FIRST_SOCKET)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port), family=family, backlog=2048)


def _notify(state: str) -> None:
    """Report to systemd, where it listens; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
        channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
