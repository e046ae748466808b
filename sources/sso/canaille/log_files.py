"""A log and what was rotated away from it, oldest first: ``security.log.2.gz``, ``security.log.1``, ``security.log``.

The identity of a file is its first line, which survives renaming, copying and compressing, and its inode, as several
logs may begin alike.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from leat.sources.errors import Forbidden, NotFound

_FIRST = 4096
_ROTATED = re.compile(r"[.-]\d[\d-]*(\.gz)?")


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open file of a log.

    Attributes:
        name: its name.
        stream: what is in it, uncompressed.
        inode: number of the file.
        first: digest of its first line; None while that isn't whole.
        size: bytes when it was opened; None for a compressed file.
        live: whether lines may still be added.
    """

    name: str
    stream: BinaryIO
    inode: int
    first: str | None
    size: int | None
    live: bool


def open_files(integration: str, path: Path, stack: contextlib.ExitStack) -> list[LogFile]:
    """Open a log and its rotated files, oldest first; ``stack`` closes them.

    The live file is opened before the others are listed: one that is rotated meanwhile then appears in both
    places, and is the same inode.

    Raises:
        NotFound: there is no such log.
        Forbidden: it may not be read.
    """
    try:
        live = [_open(path, stack, live=True)]
    except FileNotFoundError:
        live = []
    except OSError as error:
        raise _unreadable(integration, path, error) from None
    files: list[tuple[int, int, LogFile]] = []
    for other in path.parent.glob(f"{path.name}*"):
        being_packed = other.suffix == ".gz" and other.with_suffix("").exists()
        if being_packed or not _ROTATED.fullmatch(other.name.removeprefix(path.name)):
            continue
        try:
            file = _open(other, stack, live=False)
        except FileNotFoundError:  # rotated a moment ago; the next run finds it under its new name
            continue
        except (OSError, EOFError) as error:
            raise _unreadable(integration, other, error) from None
        if file.inode not in {each.inode for each in live}:
            number = int(re.sub(r"\D", "", other.name.removeprefix(path.name)) or 0)
            files.append((other.stat().st_mtime_ns, -number, file))
    if not live and not files:
        raise NotFound(
            integration, f"opening the log {path}", "there is no such file", "correct connection.canaille_log"
        )
    return [file for _, _, file in sorted(files, key=lambda item: item[:2])] + live


def _open(path: Path, stack: contextlib.ExitStack, *, live: bool) -> LogFile:
    raw = stack.enter_context(path.open("rb"))
    status = os.fstat(raw.fileno())
    packed = path.suffix == ".gz"
    stream = cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=raw))) if packed else raw
    first = stream.readline(_FIRST)
    whole = first.endswith(b"\n") or len(first) == _FIRST or (first and not live)
    digest = sha256(first.rstrip(b"\n")).hexdigest()[:32] if whole else None
    return LogFile(path.name, stream, status.st_ino, digest, None if packed else status.st_size, live)


def _unreadable(integration: str, path: Path, error: OSError | EOFError) -> Forbidden:
    got = str(getattr(error, "strerror", None) or "it is damaged")
    return Forbidden(integration, f"opening the log {path}", got, "let the account that runs leat read it")
