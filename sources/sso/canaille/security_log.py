"""Sign-ins by append: what was added to Canaille's log since the last run, across rotations, up to a bound.

The cursor holds a file, by its first line and inode, and a byte offset in it. leat recognises the file after it was
renamed, copied or compressed, is read to its end, and then those that came after it. The last line of the live file is
left until it is whole. A log that grows while it is read is read to where it ended when it was opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from leat.limits import LOG_LINE_BYTES as MAX_LINE
from leat.limits import LOG_READ_BYTES as MAX_READ
from leat.sources.batch import Batch
from leat.sources.driver import Sync
from leat.sources.events import Event, Logged, Quarantined
from leat.sources.sso.canaille.log_files import LogFile, open_files
from leat.sources.sso.canaille.security_lines import blank, is_quiet, parse_line
from leat.sources.sso.sign_ins import LOGIN_EVENTS

_WORTH_MOVING = 2**20
_MAX_WAITING = 10_000


@dataclass(slots=True)
class Position:
    """Where reading goes on, and what is left of the bound."""

    file: LogFile
    offset: int
    left: int


def read_log(
    sync: Sync, path: Path, zone: ZoneInfo, before: Mapping[str, Any], bound: int = MAX_READ
) -> Generator[Event, None, dict[str, Any]]:
    """Yield what was added; returns the part of the cursor, which moves when there was news.

    A program that gets a token is no news, for this driver is one: such rows arrive together with the next real ones.

    Raises:
        IntegrationError: the log can't be read.
    """
    with contextlib.ExitStack() as stack:
        files = [file for file in open_files(sync.integration, path, stack) if file.first is not None]
        files, offset, lost = _find(files, before)
        if not files:
            return dict(before)
        waiting: list[Event | dict[str, Any]] = [lost] if lost else []
        news = bool(lost)
        batch = Batch(LOGIN_EVENTS)
        position = Position(files[0], offset, bound)
        for row in _rows(files, position, zone):
            news = news or isinstance(row, Quarantined) or not is_quiet(row) or len(waiting) > _MAX_WAITING
            waiting.append(row)
            if news:
                yield from _give(batch, waiting)
                waiting = []
        if news:
            yield from _give(batch, waiting)
            yield from batch.flush()
        if not news and bound - position.left < _WORTH_MOVING:
            return dict(before)
        yield from _give(batch, [] if news else waiting)
        yield from batch.flush()
        return {"first": position.file.first, "inode": position.file.inode, "offset": position.offset}


def _give(batch: Batch, waiting: list[Event | dict[str, Any]]) -> Iterator[Event]:
    for row in waiting:
        if isinstance(row, dict):
            yield from batch.add(row)
        else:
            yield row


def _find(files: list[LogFile], before: Mapping[str, Any]) -> tuple[list[LogFile], int, Logged | None]:
    """Return the files that are left to read, where in the first of them, and what to report about the log."""
    if not before:
        return files, 0, None
    same = [file for file in files if file.first == before["first"]]
    same = [file for file in same if file.inode == before["inode"]] or same
    if not same:
        return (
            files,
            0,
            Logged("log_gap", {"reason": "the file that was being read is gone; all that is there is read"}),
        )
    file, offset = same[0], int(before["offset"])
    rest = files[files.index(file) :]
    if file.size is not None and (file.size < offset or not _ends_a_line(file, offset)):
        return rest, 0, Logged("log_gap", {"reason": "the file that was being read was truncated; it is read again"})
    return rest, offset, None


def _ends_a_line(file: LogFile, offset: int) -> bool:
    if offset == 0 or (offset == file.size and not file.live):
        return True
    file.stream.seek(offset - 1)
    return file.stream.read(1) == b"\n"


def _rows(files: list[LogFile], position: Position, zone: ZoneInfo) -> Iterator[dict[str, Any] | Quarantined]:
    for file in files:
        if file is not position.file:
            position.file, position.offset = file, 0
        for begin, line in _lines(position):
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            try:
                row = parse_line(_bounded(text), zone)
            except ValueError as error:
                yield Quarantined("login_events", f"{file.first}:{begin}", str(error), blank(text[:1000]))
                continue
            if row is not None:
                identity = f"{file.first}:{begin}:{text}"
                yield row | {"id": sha256(identity.encode("utf-8", "replace")).hexdigest()[:32]}
        if position.left <= 0:
            return


def _bounded(text: str) -> str:
    if len(text) > MAX_LINE:
        msg = f"a line of more than {MAX_LINE} bytes"
        raise ValueError(msg)
    return text


def _lines(position: Position) -> Iterator[tuple[int, bytes]]:
    """Yield offset and line up to the end of the file as it was when it was opened, or to the bound."""
    file = position.file
    file.stream.seek(position.offset)
    while position.left > 0 and (file.size is None or position.offset < file.size):
        begin, line = position.offset, file.stream.readline(MAX_LINE + 1)
        length, piece = len(line), line
        while len(piece) > MAX_LINE and not piece.endswith(b"\n"):  # the rest of a line that is too long
            piece = file.stream.readline(MAX_LINE + 1)
            length += len(piece)
        whole = piece.endswith(b"\n") and (file.size is None or begin + length <= file.size)
        if not line or (file.live and not whole):
            return
        position.offset += length
        position.left -= length
        yield begin, line
