"""Private files that are whole or not there, whatever is killed when, and locks on files; every layer uses these."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, with mode 0700; ``mkdir`` gives a mode to the last alone."""
    for path in (*reversed(folder.parents), folder):
        path.mkdir(mode=0o700, exist_ok=True)


def atomic_write(path: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Replace a file by one with this content and mode 0600; readers see the old content or the new.

    Args:
        path: the file, in a folder that is there.
        content: text is written as UTF-8.
        durable: whether the content is on the disk on return, so that it survives a power failure; it may cost 30 ms.

    Raises:
        OSError: it can't be written; the old file is still there.
    """
    with draft_of(path, durable=durable) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def draft_of(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give an empty file with mode 0600 that replaces ``path`` at the end of the block; when it fails, nothing changes.

    The draft is next to ``path`` under a hidden name that nobody else uses.

    Raises:
        OSError: it can't be written; the old file is still there.
    """
    with _scratch(path) as draft:
        yield draft
        move(draft, path, durable=durable)


def move(draft: Path, path: Path, *, durable: bool = False) -> None:
    """Let a finished file replace ``path``, on the same file system; ``durable`` as for :func:`atomic_write`."""
    if durable:
        to_disk(draft)
    draft.replace(path)
    if durable:
        to_disk(path.parent)


def write_once(path: Path, content: bytes, *, durable: bool = False, mode: int = 0o600) -> bytes:
    """Return the content of a file, which is made when it isn't there; of many processes the first one wins.

    Args:
        path: the file; the folder is made where it is missing.
        content: what is written to a new file.
        durable: as for :func:`atomic_write`.
        mode: of a new file.
    """
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    make_private(path.parent)
    make_once(path, content, durable=durable, mode=mode)
    return path.read_bytes()


def make_once(path: Path, content: bytes = b"", *, durable: bool = False, mode: int = 0o600) -> None:
    """Make a file in a folder that is there; one that others have made meanwhile isn't touched, and not even opened."""
    with _scratch(path) as draft:
        draft.write_bytes(content)
        draft.chmod(mode)
        if durable:
            to_disk(draft)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)  # unlike a rename, it fails where there is a file
    if durable:
        to_disk(path.parent)


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Give an empty private file next to a path; it is removed at the end, where it is still there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(path: Path, wait: float = math.inf, *, shared: bool = False) -> Iterator[int]:
    """Hold a lock on a file, and give its descriptor; the lock ends with the process at the latest.

    Args:
        path: the file, made with mode 0600 where it is missing; never removed, for removing it would race.
        wait: seconds to wait for who holds it.
        shared: whether others may hold it as well who want to share it.

    Raises:
        BlockingIOError: it was not free in time.
        OSError: the file can't be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait
        while True:
            try:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(descriptor, kind | (0 if wait == math.inf else fcntl.LOCK_NB))
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def to_disk(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk, so that they survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some network file systems refuse it for a folder, and need none
            raise
    finally:
        os.close(descriptor)
