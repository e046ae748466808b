"""Locks between processes: ``flock`` on a file, or an advisory lock in Postgres; both end with their holder."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from leat.files import lock
from leat.warehouse.session import Busy

LockKind = Literal["writer", "schema", "fence", "migration", "alerts", "audit", "key"]
"""What a lock in Postgres is for; locks of different kinds never meet, whatever they are called."""


def advisory_key(kind: LockKind, name: str = "") -> int:
    """Return the number of an advisory lock in Postgres: 64 bits of a hash over its kind and its name."""
    digest = hashlib.sha256(f"leat\0{kind}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextlib.contextmanager
def file_lock(path: Path, wait: float, what: str) -> Iterator[None]:
    """Hold an exclusive lock on a file.

    Args:
        path: the lock file, created with mode 0600 if need be; never removed, for removing it would race.
        wait: seconds to wait for the holder to end.
        what: what is being locked, for the message.

    Raises:
        Busy: it was not free in time.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock(path, wait))
        except BlockingIOError as error:
            msg = f"{what} is locked by another process; retry later"
            raise Busy(msg) from error
        yield
