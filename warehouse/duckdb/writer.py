"""The file that one process at a time writes: its lock, its log and its connections."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.duckdb.form import BLOCK_SIZE, FileForm
from leat.warehouse.duckdb.wheels import UNCHECKED
from leat.warehouse.locks import file_lock
from leat.warehouse.session import WarehouseError, literal

if TYPE_CHECKING:
    import duckdb

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO})
WRITER_WAIT = 600.0
_OF_A_NEW_FILE: dict[str, str | bool | int | float | list[str]] = {"default_block_size": str(BLOCK_SIZE)}


@dataclass(frozen=True, slots=True)
class WriterFile:
    """The writer's DuckDB file.

    Args:
        path: where it is; the lock lies next to it.
        memory: DuckDB's memory limit; what needs more is spilled to ``tmp`` next to the file.
        form: of the file.
    """

    path: Path
    memory: str
    form: FileForm
    _threads: threading.RLock = field(default_factory=threading.RLock)

    @property
    def log(self) -> Path:
        """What a killed writer leaves: only a writing connection takes it over."""
        return self.path.with_name(self.path.name + self.form.log_suffix)

    @contextlib.contextmanager
    def locked(self, wait: float = WRITER_WAIT) -> Iterator[None]:
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
        return connect(self.path, self.memory, self.form, read_only=read_only)


def connect(
    path: Path, memory: str, form: FileForm, *, read_only: bool = False, confined: bool = True
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file with the settings of a writer.

    Args:
        path: the file.
        memory: DuckDB's memory limit.
        form: of the file.
        read_only: whether it is only read.
        confined: whether other files are out of reach; where False, the caller sees to it (:func:`confine`).

    Raises:
        WarehouseError: another program has it open, or it is no DuckDB file.
    """
    import duckdb

    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if form.is_attached(path):
            connection = _attached(path, form, read_only=read_only)
        else:
            connection = duckdb.connect(path, read_only=read_only, config={} if read_only else _OF_A_NEW_FILE)
    except duckdb.Error as error:
        msg = f"{path} can't be opened: {error}. Next: end other programs that have it open, or run `leat doctor`"
        raise WarehouseError(_of_another(path, error) or msg) from error
    connection.execute("SET TimeZone = 'UTC'")
    if not read_only:
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_external_file_cache = false")  # landed files are read once
    if confined:
        confine(connection, path.parent / "tmp")
    return connection


def in_memory() -> duckdb.DuckDBPyConnection:
    """Return a connection without a file, which may load extensions; see :mod:`leat.warehouse.duckdb.wheels`."""
    import duckdb

    return duckdb.connect(":memory:", config=UNCHECKED)


def _attached(path: Path, form: FileForm, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a file that can only be attached: DuckDB takes a key, or the name of a catalog's engine, nowhere else."""
    connection = in_memory()
    try:
        form.attach(connection, path, "warehouse", read_only=read_only)
        connection.execute("USE warehouse")
    except BaseException:
        connection.close()
        raise
    return connection


def confine(connection: duckdb.DuckDBPyConnection, spilled: Path, *more: str) -> None:
    """Put other files and the network out of reach of every query, for good.

    Only the state folder is read and written, and no extension can be loaded. A second connection of this process to
    the same file shares the settings of the first one.

    Args:
        connection: of the warehouse.
        spilled: the folder for what doesn't fit into memory, two levels below the state folder.
        more: what else may be read and written, with a slash at the end.
    """
    is_open = connection.execute("SELECT current_setting('enable_external_access')").fetchone()
    if is_open is None or is_open[0]:
        state = spilled.absolute().parent.parent
        connection.execute(f"SET temp_directory = {literal(str(spilled))}")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute(f"SET allowed_directories = [{', '.join(map(literal, (f'{state}/', *more)))}]")
        connection.execute("SET enable_external_access = false")


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
        raise WarehouseError(_of_another(path, error) or msg) from error


def _of_another(path: Path, error: Exception) -> str | None:
    """Return what to do where SQLite says that another program writes the catalog of a lake; None for other errors."""
    if "database is locked" not in str(error):
        return None
    return (
        f"another program writes {path}. Next: end it, for leat alone writes this file, and let it open what is "
        "published; then run it again"
    )
