"""The version published before last becomes the next one: only the blocks that differ are written.

A file is written over only while no process has it open. Linux says so by granting a write lease on it: see fcntl(2),
"Leases". While the lease lasts, whoever opens the file waits until it is complete. A file system of another machine
doesn't know who has a file open there, so only those are trusted whose files are opened on this machine alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from leat.files import to_disk

_PART = 1 << 20
_BLOCK = 1 << 16
_OF_THIS_MACHINE = frozenset({"ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs"})


def reuse_file(source: Path, spare: Path, target: Path) -> bool:
    """Rename a spare file and give it the content of another one; it is on the disk on return.

    Args:
        source: the file with the content, which nobody writes meanwhile.
        spare: a file with similar content.
        target: the new name of the spare file; nobody has this name yet.

    Returns:
        Whether that was done; not if there is no spare file, it has another name too, somebody has it open, or the
        system can't say so. Then nothing has changed.

    Raises:
        OSError: it can't be written; what is there under the new name is incomplete.
    """
    try:
        handle = os.open(spare, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # there is none, or it is somebody else's
    with os.fdopen(handle, "r+b", buffering=0) as writing, contextlib.ExitStack() as leased:
        try:
            leased.enter_context(_leased(handle))
        except OSError:
            return False
        if os.fstat(handle).st_nlink != 1 or file_system(spare) not in _OF_THIS_MACHINE:
            return False
        spare.replace(target)
        to_disk(target.parent)  # after a power failure, no name of a published file may belong to this one
        with source.open("rb", buffering=0) as reading:
            _write_difference(reading.fileno(), writing.fileno(), str(target))
        os.fsync(handle)
    return True


@contextlib.contextmanager
def _leased(handle: int) -> Iterator[None]:
    """Hold the lease on a file.

    Raises:
        OSError: somebody has it open, or the system has no leases.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        msg = "no leases on this system"
        raise OSError(msg)
    fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)  # sent when somebody waits; by default SIGIO, which would kill
    fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    try:
        yield
    finally:
        # a process that another thread has forked meanwhile has this descriptor too, so closing it may not be enough
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def file_system(path: Path) -> str | None:
    """Return the kind of file system that a file is on, such as ``ext4``; None if that can't be said."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError), Path("/proc/self/mountinfo").open(encoding="utf-8") as mounts:
        for mount in mounts:
            fields = mount.split()
            if fields[2] == number:
                return fields[fields.index("-") + 1]
    return None


def _write_difference(source: int, target: int, name: str) -> None:
    """Write each block of a file that another one has otherwise."""
    size = os.fstat(source).st_size
    wanted, there = bytearray(_PART), bytearray(_PART)
    view = memoryview(wanted)
    for start in range(0, size, _PART):
        sys.audit("leat.copy", name)
        length = os.preadv(source, [wanted], start)
        old = os.preadv(target, [there], start)
        if length == old == _PART and wanted == there:
            continue
        for at in range(0, length, _BLOCK):
            end = min(at + _BLOCK, length)
            if end > old or wanted[at:end] != there[at:end]:
                _write(target, view[at:end], start + at)
    os.ftruncate(target, size)


def _write(target: int, content: memoryview, at: int) -> None:
    while content:
        written = os.pwrite(target, content, at)
        content, at = content[written:], at + written
