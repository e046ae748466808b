"""The published copy of the writer's file, which everyone reads.

::

    writer/warehouse.duckdb --checkpoint, copy, rename--> warehouse.duckdb

An open reader stays on its version (its inode); a new one sees the next. The copy carries the modification time of the
writer's file, and DuckDB counts in the headers of a file how often it was written. So "is the newest version
published?" needs no connection, and the answer survives a kill at any moment.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import WriterFile, explaining_the_disk
from leat.warehouse.session import Session

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file instead of copying them
_CHUNK = 1 << 20
_HEADERS = 3 * 4096  # that of the file, and two that DuckDB writes in turns, each with a number one higher


@dataclass(slots=True)
class DuckDBPublication:
    """The published copy.

    Args:
        writer: the file that is copied.
        path: the file that readers open.
        after: called after each publication, and where there is nothing new to publish.
    """

    writer: WriterFile
    path: Path
    after: Callable[[], None] = lambda: None

    def is_current(self) -> bool:
        """Return whether the published file is the newest version."""
        if self.writer.log.exists():
            return False
        if not self.writer.path.exists():
            return True
        if not self.path.exists():
            return False
        written, published = self.writer.path.stat(), self.path.stat()
        if (written.st_mtime_ns, written.st_size) != (published.st_mtime_ns, published.st_size):
            return False
        return _headers(self.writer.path) == _headers(self.path)  # a file system may count time in whole seconds

    def version(self) -> tuple[int, int, int] | None:
        """Return inode, time of modification and size of the published file; None when there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def publish(self, judge: Callable[[Session], bool] | None = None) -> bool:
        """Copy the writer's file and rename the copy over the published one, unless the judge says no.

        Args:
            judge: asked, under the writer's lock, whether readers may have exactly what is there.

        Returns:
            Whether readers see something new.

        Raises:
            Busy: another process has been writing for too long.
            WarehouseError: the disk is full.
        """
        published = self._publish(judge)
        self.after()
        return published

    def _publish(self, judge: Callable[[Session], bool] | None) -> bool:
        if self.is_current() and not self._to_rewrite.exists() and self.writer.form.fits(self.path):
            return False
        with self.writer.locked(), explaining_the_disk(self.path):
            if self.writer.log.exists():
                self.writer.connect().close()  # takes over the log and checkpoints
            if judge is not None and not self._judged(judge):
                return False
            rewritten = self._must_rewrite()
            if rewritten:
                self.writer.form.rewrite(self.writer.path, self.writer.memory)
            if not rewritten and self.is_current():
                return False
            self._replace()
            self.writer.form.tidy(self.writer.path, self.writer.memory, self._replace, at_once=rewritten)
            self._to_rewrite.unlink(missing_ok=True)
        return True

    def rewrite_next(self) -> None:
        """Remember next to the writer's file, until the next publication, that it has to be rewritten.

        For rows that are about to be dropped: DuckDB doesn't erase the content of freed blocks, and the published
        copy would carry them along.
        """
        with self.writer.locked():
            self._to_rewrite.touch(mode=0o600)

    @property
    def _to_rewrite(self) -> Path:
        return self.writer.path.with_name("forget")

    def _must_rewrite(self) -> bool:
        """Return whether the writer's file has rows to forget, or isn't encrypted as it is to be."""
        return self._to_rewrite.exists() or not self.writer.form.fits(self.writer.path)

    def _judged(self, judge: Callable[[Session], bool]) -> bool:
        if not self.writer.path.exists():
            return True
        connection = self.writer.connect(read_only=True)
        try:
            return judge(DuckDBSession(connection, self.writer.form.dialect))
        finally:
            connection.close()

    def _replace(self) -> None:
        draft = self.path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        written = self.writer.path.stat()
        try:
            copy_file(self.writer.path, draft)
            os.utime(draft, ns=(written.st_atime_ns, written.st_mtime_ns))
            draft.replace(self.path)
        except OSError:
            draft.unlink(missing_ok=True)  # half a copy is of no use on a full disk
            raise


def _headers(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADERS)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with mode 0600, sharing its blocks where the file system can."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
        try:
            fcntl.ioctl(writing, _FICLONE, reading.fileno())
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
                raise
            while chunk := reading.read(_CHUNK):
                sys.audit("leat.copy", str(target))
                writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
