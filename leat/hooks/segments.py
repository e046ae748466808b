"""Segments: files of lines in which webhooks are durable before they are acknowledged.

The event loop collects lines while one thread writes the last ones and calls fdatasync, so that one sync serves many
requests. A segment is named by the number of its first line. Every process that starts begins a new one, and the newest
is never removed, so that numbers go on and a reader's pattern always matches a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from leat.files import lock, make_private, to_disk
from leat.hooks.event import Event, from_line

log = logging.getLogger("leat.hooks")

FOLDER = "live"
"""Name of the folder of the segments in the state folder."""
ROTATE = 8_000_000
WAITING = 16_000_000


class Unavailable(Exception):
    """A line can't be stored now; the text says why."""


def segments(folder: Path) -> list[Path]:
    """Return the segments, the oldest first."""
    return sorted(folder.glob("*.ndjson"))


def make_first_segment(folder: Path, first: int = 1) -> None:
    """Make an empty segment where there is none, for a view needs a file to read; ``first`` is its first number."""
    if not segments(folder):
        make_private(folder)
        _path(folder, first).touch(mode=0o600)


def first_of(segment: Path) -> int:
    """Return the number of the first line of a segment."""
    return int(segment.stem)


def read_events(folder: Path, after: int) -> Iterator[Event]:
    """Yield the events with higher numbers, the oldest first; the torn line of a process that was killed isn't one."""
    listed = segments(folder)
    for number, segment in enumerate(listed):
        if number + 1 < len(listed) and first_of(listed[number + 1]) <= after + 1:
            continue
        for line in segment.read_bytes().split(b"\n")[:-1]:
            try:
                event = from_line(line)
            except msgspec.MsgspecError:
                log.warning("%s: a line can't be read", segment.name)
                continue
            if event.seq > after:
                yield event


def last_number(folder: Path) -> int:
    """Return the number of the newest line."""
    for segment in reversed(segments(folder)):
        lines = segment.read_bytes().split(b"\n")[:-1]
        for line in reversed(lines):
            with contextlib.suppress(msgspec.MsgspecError):
                return from_line(line).seq
        if not lines:
            return first_of(segment) - 1
    return 0


class SegmentWriter:
    """Appends lines for one event loop; a second writer of a folder is refused.

    Args:
        folder: of the segments.
        rotate: bytes after which a new segment begins.
        waiting: bytes that may wait for the disk.
    """

    def __init__(self, folder: Path, *, rotate: int = ROTATE, waiting: int = WAITING) -> None:
        self._folder, self._rotate, self._limit = folder, rotate, waiting
        self._thread = ThreadPoolExecutor(1, "segments")
        self._lines: list[bytes] = []
        self._futures: list[asyncio.Future[None]] = []
        self._bytes = 0
        self._busy = False
        self._file = -1
        self._size = 0
        self._first = 0
        self._held = contextlib.ExitStack()
        self.failed: str | None = None
        self.number = 0

    def open(self, wait: float = 10, *, after: int = 0) -> None:
        """Cut off what a killed process left half-written, and begin a new segment.

        Args:
            wait: seconds to wait for another process that writes.
            after: the newest number in the warehouse. Where the folder is new or lost, numbers go on from it: lower
                ones would count as applied, and never be seen.

        Raises:
            BlockingIOError: another process writes segments.
            OSError: the folder can't be written.
        """
        make_private(self._folder)
        self._held.enter_context(lock(self._folder / "lock", wait))
        for segment in segments(self._folder):
            _cut(segment)
        self.number = max(last_number(self._folder), after)
        self._begin(self.number + 1)

    async def append(self, make: Callable[[int], bytes]) -> None:
        """Return when a line is on the disk.

        Args:
            make: returns the line, with its end, of a number.

        Raises:
            Unavailable: the disk is full or too slow.
        """
        if self._bytes > self._limit:
            msg = "more webhooks wait for the disk than leat holds"
            raise Unavailable(msg)
        self.number += 1
        line = make(self.number)
        future = asyncio.get_running_loop().create_future()
        if not self._lines:
            self._first = self.number
        self._lines.append(line)
        self._futures.append(future)
        self._bytes += len(line)
        if not self._busy:
            self._flush()
        await future

    def close(self) -> None:
        """End the thread and close the segment."""
        self._thread.shutdown()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._held.close()

    def _flush(self) -> None:
        lines, futures, first = self._lines, self._futures, self._first
        self._lines, self._futures, self._busy = [], [], True
        data = b"".join(lines)
        loop = asyncio.get_running_loop()

        def done(task: asyncio.Future[None]) -> None:
            self._bytes -= len(data)
            self._busy = False
            error = task.exception()
            self.failed = None if error is None else str(error)
            for future in futures:
                if future.done():  # the client has gone
                    continue
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(Unavailable(f"webhooks can't be stored: {error}"))
            if self._lines:
                self._flush()

        loop.run_in_executor(self._thread, self._write, data, first).add_done_callback(done)

    def _write(self, data: bytes, first: int) -> None:
        """Write and sync in the thread; what fails is taken back, and the next lines go to a new segment."""
        if self._file < 0 or self._size > self._rotate:
            self._begin(first)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            os.close(self._file)
            self._file = -1
            raise
        self._size += len(data)

    def _begin(self, first: int) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(_path(self._folder, first), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size
        to_disk(self._folder)


def _path(folder: Path, first: int) -> Path:
    return folder / f"{first:020d}.ndjson"


def _cut(segment: Path) -> None:
    """Remove an incomplete last line."""
    content = segment.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        log.warning("%s: %d bytes of an incomplete line are cut off", segment.name, len(content) - whole)
        os.truncate(segment, whole)
