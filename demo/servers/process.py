"""Start a server as a process of its own on loopback, wait until it listens, end it by its pid."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RESERVED = 60.0


@dataclass(frozen=True, slots=True)
class Process:
    """A running server."""

    name: str
    pid: int
    port: int
    log: Path


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now, and that the system gives to nobody unasked.

    Ports from 32768 on are given to whoever connects somewhere: one of them might be taken when the server starts, or
    starts again. No other process gets the port from here within a minute, in which the server starts.
    """
    folder = Path(tempfile.gettempdir(), f"leat-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    chosen = random.SystemRandom()  # a property-based test seeds the other one, alike in each process
    while True:
        port = chosen.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            probe.bind(("127.0.0.1", port))
            if _reserved(folder / str(port)):
                return port


def _reserved(file: Path) -> bool:
    """Reserve a port by a file of its own; return whether nobody has within the last minute."""
    with contextlib.suppress(FileNotFoundError):
        if time.time() - file.stat().st_mtime < _RESERVED:
            return False
        file.unlink()
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def is_listening(port: int) -> bool:
    """Return whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_running(pid: int) -> bool:
    """Return whether a process with that pid exists and has not ended.

    One that has ended and that its parent hasn't waited for still has its pid; Linux says so in ``/proc`` (proc(5)).
    """
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] not in ("Z", "X") or int(fields[17]) > 1  # other threads still have its sockets open
    return True


def start(
    name: str,
    argv: Sequence[str],
    folder: Path,
    port: int,
    env: Mapping[str, str] | None = None,
    wait: float = 60,
    user: int | None = None,
) -> Process:
    """Start a server in a session of its own and wait until it listens.

    Args:
        name: what messages call it; its output goes to ``<folder>/<name>.log``.
        argv: the command.
        folder: working folder, created if need be.
        port: where it will listen on 127.0.0.1.
        env: variables in addition to this process's.
        wait: seconds to wait for it to listen.
        user: run it as this user and group id, for servers that refuse root; only root may ask for that.

    Raises:
        RuntimeError: it ended, or did not listen in time; the text has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    with log.open("ab") as out:
        child = subprocess.Popen(
            list(argv),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    deadline = time.monotonic() + wait
    while not is_listening(port):
        if child.poll() is not None or time.monotonic() > deadline:
            end = log.read_text(errors="replace")[-2000:]
            stop(child.pid)
            msg = f"{name} did not start on port {port}; its log ends with:\n{end}"
            raise RuntimeError(msg)
        time.sleep(0.02)
    return Process(name, child.pid, port, log)


def stop(pid: int, wait: float = 10) -> None:
    """End a process: politely, then at once; returns when it is gone."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if not is_running(pid):
                return
            time.sleep(0.02)


@contextlib.contextmanager
def running(process: Process) -> Iterator[Process]:
    """End the process when the block is left."""
    try:
        yield process
    finally:
        stop(process.pid)
