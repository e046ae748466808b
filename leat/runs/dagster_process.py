"""Where web and the process of Dagster's UI meet: a socket in a private folder, and how web vouches for who asks.

The folder has mode 0700, so only the account that leat runs as reaches the socket. Its other programs do, too; they
don't have the key, and whoever can't sign a request gets no answer.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from leat.files import atomic_write, make_private
from leat.pipelines.declare.project import Project

PREFIX = "/dagster"
"""The path of Dagster's UI, without a slash at its end."""
GRAPHQL = f"{PREFIX}/graphql"
HEADER = "x-leat-may"
May = Literal["read", "run"]
"""What somebody may do there: see everything, or also launch and terminate runs."""

_SOCKET, _FAILURE = "dagster.sock", "dagster-failure.json"
_VALID = 60.0  # seconds for which a signature is taken


def meeting_folder(project: Project) -> Path:
    """Return the folder of the socket; it is made when it isn't there."""
    folder = project.state / "serve"
    make_private(folder)
    folder.chmod(0o700)
    return folder


def socket_path(folder: Path) -> str:
    """Return a short name of the socket: the system takes 107 bytes at most, and a state folder may have more."""
    return f"/proc/self/fd/{_opened(folder)}/{_SOCKET}"


@lru_cache(maxsize=8)
def _opened(folder: Path) -> int:
    return os.open(folder, os.O_PATH | os.O_DIRECTORY)


def was_reached(folder: Path) -> bool:
    """Return whether the process that was started last got as far as to listen."""
    return (folder / _SOCKET).is_socket()


def prepare_start(folder: Path) -> None:
    """Remove what the process before has left."""
    (folder / _SOCKET).unlink(missing_ok=True)
    forget_failure(folder)


def note_failure(folder: Path, detail: str, next_step: str) -> None:
    """Note why the process can't start, for the page that waits for it."""
    atomic_write(folder / _FAILURE, json.dumps([detail, next_step]))


def read_failure(folder: Path) -> tuple[str, str] | None:
    """Return why the process couldn't start, and the next step; None if it could, or is starting."""
    try:
        detail, next_step = json.loads((folder / _FAILURE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return detail, next_step


def forget_failure(folder: Path) -> None:
    """Forget why the process couldn't start, so that it is tried again."""
    (folder / _FAILURE).unlink(missing_ok=True)


def vouch(key: bytes, may: May, method: str, path: str, clock: Callable[[], float] = time.time) -> str:
    """Return the header that says what a request may do.

    Args:
        key: what only web and Dagster's process have.
        may: what whoever asks may do.
        method: of the request; `WS` for a WebSocket.
        path: of the request, decoded.
        clock: seconds since 1970.
    """
    at = f"{clock():.0f}"
    return f"{may}.{at}.{_signature(key, may, at, method, path)}"


def vouched(key: bytes, header: str, method: str, path: str, clock: Callable[[], float] = time.time) -> May | None:
    """Return what a request may do; None if nobody with the key has said so within the last minute."""
    may, _, rest = header.partition(".")
    at, _, signature = rest.partition(".")
    right = _signature(key, may, at, method, path)
    if not hmac.compare_digest(signature.encode(), right.encode()) or abs(clock() - float(at)) > _VALID:
        return None
    return "run" if may == "run" else "read"


def _signature(key: bytes, *said: str) -> str:
    return hmac.new(key, "\0".join(said).encode(), hashlib.sha256).hexdigest()
