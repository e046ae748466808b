"""The file that one process at a time writes: its lock, its log and its connections."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.duckdb.encryption import BLOCK_SIZE, PLAIN, FileEncryption
from leat.warehouse.locks import file_lock
from leat.warehouse.session import WarehouseError, literal

if TYPE_CHECKING:
    import duckdb

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO})
_WAIT = 600.0
_OF_A_NEW_FILE: dict[str, str | bool | int | float | list[str]] = {"default_block_size": str(BLOCK_SIZE)}


@dataclass(frozen=True, slots=True)
class WriterFile:
    """The writer's DuckDB file.

    Args:
        path: where it is; the lock lies next to it.
        memory: DuckDB's memory limit; what needs more is spilled to ``tmp`` next to the file.
        encryption: of the file.
    """

    path: Path
    memory: str
    encryption: FileEncryption = PLAIN
    _threads: threading.RLock = field(default_factory=threading.RLock)

    @property
    def log(self) -> Path:
        """What a killed writer leaves: only a writing connection takes it over."""
        return self.path.with_name(self.path.name + ".wal")

    @contextlib.contextmanager
    def locked(self, wait: float = _WAIT) -> Iterator[None]:
        """Hold the lock.

        Args:
            wait: seconds to wait for another process.

        Raises:
            Busy: another process has held it for so long.
        """
        with self._threads, file_lock(self.path.with_name("lock"), wait, "the warehouse"):
            yield

    def connect(self, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        """Open the file.

        Raises:
            WarehouseError: another program has it open, or it is no DuckDB file.
        """
        return connect(self.path, self.memory, self.encryption, read_only=read_only)


def connect(
    path: Path, memory: str, encryption: FileEncryption = PLAIN, *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the settings of a writer.

    Raises:
        WarehouseError: another program has it open, or it is no DuckDB file.
    """
    import duckdb

    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if encryption.applies(path):
            connection = _encrypted(path, encryption, read_only=read_only)
        else:
            connection = duckdb.connect(path, read_only=read_only, config={} if read_only else _OF_A_NEW_FILE)
    except duckdb.Error as error:
        msg = f"{path} can't be opened: {error}. Next: end other programs that have it open, or run `leat doctor`"
        raise WarehouseError(msg) from error
    connection.execute("SET TimeZone = 'UTC'")
    if not read_only:
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET temp_directory = {literal(str(path.parent / 'tmp'))}")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_external_file_cache = false")  # landed files are read once
    return connection


def _encrypted(path: Path, encryption: FileEncryption, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open an encrypted file: DuckDB takes its key only where it attaches it."""
    import duckdb

    connection = duckdb.connect(":memory:")
    try:
        encryption.attach(connection, path, "warehouse", read_only=read_only)
        connection.execute("USE warehouse")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def explaining_the_disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into an error that says what to do."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _OF_THE_DISK:
            raise
        msg = f"{path}: {error}. Next: free disk space, then run it again; readers stay on what is published"
        raise WarehouseError(msg) from error
