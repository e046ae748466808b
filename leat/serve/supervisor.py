"""The process that ``leat serve`` is: it owns the listening socket, starts web and worker, and restarts what ends.

It starts Dagster's UI when web asks for it, in a session of its own, since that has processes of its own, too.
Because the socket is not the web process's own, connections wait in its queue while that process starts again. With
socket activation by systemd the socket outlives this process, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from leat.runs.dagster_process import meeting_folder, note_failure, prepare_start, read_failure, was_reached
from leat.runs.workspace import open_workspace
from leat.serve.options import Options

log = logging.getLogger("leat.serve")

_FIRST_SOCKET = 3  # sd_listen_fds(3)
_STOP_SECONDS = 30.0
_WAITS = (0.0, 0.1, 0.5, 2.0, 5.0)  # before a process is started again, by how often it has ended early
_EARLY = 10.0
_WANTED = 15.0  # seconds: who asks for Dagster while it is ending is to have it as soon as it has ended
READY, WANT_DAGSTER, WANT_AGAIN = b"1", b"d", b"a"
"""What web reports: that it answers, that somebody wants to see Dagster's UI, or wants it although it has failed."""


@dataclass(slots=True)
class _Child:
    """A process that is to run.

    Attributes:
        name: how the log calls it.
        module: what it runs.
        arguments: of its command line.
        descriptors: which of the supervisor's it gets, as further arguments.
        given: what it reads from its standard input: an argument would be seen by other accounts.
        group: whether it has processes of its own, which end with it.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...]
    given: bytes = b""
    group: bool = False
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
        key, given = secrets.token_bytes(32), (self.options.as_json(),)
        project = open_workspace(Path(options.project), may_be_empty=True).project
        self._meeting = meeting_folder(project)
        prepare_start(self._meeting)
        web = (self._lives, self._socket.fileno(), ready)
        self._web = _Child("web", "leat.serve.web", given, web, key)
        self._worker = _Child("worker", "leat.serve.worker", given, (self._lives,))
        self._dagster = _Child(
            "dagster", "leat.dagster_project.ui", (options.project,), (self._lives,), key, group=True
        )
        self._wanted_until = 0.0
        self._again = False

    def run(self) -> int:
        """Serve until a signal asks to end; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            now = time.monotonic()
            self._look_after(self._web, now)
            if self._may_work(now):
                self._look_after(self._worker, now)
            self._look_after_dagster(now)
            self._wait()
        _notify("STOPPING=1")
        self._stop()
        return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _may_work(self, now: float) -> bool:
        """Return whether the worker may start: the processors are web's first, so that requests are answered sooner."""
        return self._worker.process is not None or self._web.ready or now - self._web.began > _EARLY

    def _look_after(self, child: _Child, now: float) -> None:
        if child.process is not None and child.process.poll() is not None:
            lived = now - child.began
            child.early = child.early + 1 if lived < _EARLY and not child.ready else 0
            child.not_before = now + _WAITS[min(child.early, len(_WAITS) - 1)]
            log.error("%s ended with %s after %.0f s; it is started again", child.name, child.process.returncode, lived)
            child.process = None
        if child.process is None and now >= child.not_before:
            self._start(child, now)

    def _look_after_dagster(self, now: float) -> None:
        """Start it if somebody wants it; when it has ended, it is started again for the next one."""
        child = self._dagster
        if child.process is not None and child.process.poll() is not None:
            code = child.process.returncode
            log.log(logging.ERROR if code else logging.INFO, "dagster ended with %s", code)
            failed = code and not was_reached(self._meeting) and not self._again
            if failed and read_failure(self._meeting) is None:
                note_failure(self._meeting, f"Dagster's process ended with {code}", "look into the log of `leat serve`")
            if failed:
                self._wanted_until = 0.0
            child.process = None
        if child.process is None and (now < self._wanted_until or self._again):
            prepare_start(self._meeting)
            self._start(child, now)
            self._wanted_until, self._again = 0.0, False

    def _start(self, child: _Child, now: float) -> None:
        argv = [sys.executable, "-m", child.module, *child.arguments, *map(str, child.descriptors)]
        stdin = subprocess.PIPE if child.given else subprocess.DEVNULL
        child.process = subprocess.Popen(argv, pass_fds=child.descriptors, stdin=stdin, start_new_session=child.group)
        if child.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), child.process.stdin as pipe:
                pipe.write(child.given)
        child.began, child.ready = now, False

    def _wait(self) -> None:
        """Return when a process has ended or is ready, when somebody wants Dagster, or after half a second."""
        readable, _, _ = select.select([self._signals, self._ready], [], [], 0.5)
        if self._signals in readable:
            os.read(self._signals, 512)
        reported = os.read(self._ready, 512) if self._ready in readable else b""
        if WANT_DAGSTER in reported:
            self._wanted_until = time.monotonic() + _WANTED
        self._again = self._again or WANT_AGAIN in reported
        if READY in reported:
            self._web.ready = True
            if not self._announced:  # web also reports when it was started again
                self._announced = True
                self._announce(self.options)
            _notify("READY=1")

    def _stop(self) -> None:
        children = (self._web, self._worker, self._dagster)
        running = [child.process for child in children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + self.options.drain_seconds + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._dagster.process is not None:
            with contextlib.suppress(ProcessLookupError):  # nothing is left of its session
                os.killpg(self._dagster.process.pid, signal.SIGKILL)
        prepare_start(self._meeting)
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
