"""The embedded warehouse: a private DuckDB file that one process writes, and a published copy that everyone reads.

::

    writer/warehouse.duckdb --checkpoint, copy, rename--> warehouse.duckdb

Readers open only the published file, read-only. An open reader keeps its version (its inode); a new one sees the next.
The copy carries the modification time of the writer's file, so that "is the newest version published?" needs neither
file to be opened, and the answer survives a kill at any moment.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.warehouse.duckdb.query import answered
from leat.warehouse.error_text import remove_values, values_removed
from leat.warehouse.locks import file_lock
from leat.warehouse.query import Answer, Limits
from leat.warehouse.session import (
    Dialect,
    OutOfMemory,
    Session,
    WarehouseError,
    check_files,
    field_types,
    leat_type,
    literal,
    quote,
    sql_type,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import sqlalchemy

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file instead of copying them
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO})
_WRITER_WAIT = 600.0
_OF_SCHEMAS = ("CREATE", "ALTER", "DROP", "ATTACH", "DETACH", "USE")
_WORD = max(map(len, _OF_SCHEMAS))


@dataclass(slots=True)
class DuckDBSession:
    """One transaction on a DuckDB connection."""

    connection: duckdb.DuckDBPyConnection
    dialect: Dialect = "duckdb"
    _alchemy: sqlalchemy.Connection | None = None
    _columns: dict[tuple[str, str], dict[str, str]] | None = None

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        if sql.lstrip()[:_WORD].upper().startswith(_OF_SCHEMAS):
            self._columns = None
        if params:  # written in as literals: to bind a parameter, DuckDB imports pandas, which takes half a second
            first, *rest = sql.split("?")
            sql = first + "".join(literal(value) + part for value, part in zip(params, rest, strict=True))
        import duckdb

        try:
            with values_removed():
                return self.connection.execute(sql).fetchall()
        except duckdb.OutOfMemoryException as error:
            msg = f"{error}. Next: leave large columns out by exclude, or run it where there is more memory"
            raise OutOfMemory(msg) from error

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a changing statement and return the number of rows."""
        return int(self.execute(sql, params)[0][0])

    def stage(self, name: str, files: Sequence[Path], schema: pa.Schema, there: Sequence[str] | None = None) -> None:
        """Make a temporary view of parquet files; nothing is copied."""
        types = field_types(schema)
        in_files = dict(zip(types, there or types, strict=True))
        check_files(name, files, in_files.values())
        listed = ", ".join(literal(str(file)) for file in files)
        relation = f" FROM read_parquet([{listed}], union_by_name = true)" if files else " WHERE false"
        selected = ", ".join(
            f"CAST({quote(in_files[column]) if files else 'NULL'} AS {sql_type(kind, 'duckdb')}) AS {quote(column)}"
            for column, kind in types.items()
        )
        self.execute(f"CREATE OR REPLACE TEMP VIEW {quote(name)} AS SELECT {selected}{relation}")

    def keep(self, name: str, select: str) -> None:
        """Keep the rows of a SELECT in a temporary table."""
        self.execute(f"CREATE OR REPLACE TEMP TABLE {quote(name)} AS {select}")

    def limit_memory(self, large_rows: bool = False) -> None:
        """Keep to 256 MB: measured on 10 million rows, a merge is as fast as with twice as much."""
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21
        self.execute(f"SET memory_limit = '{half if large_rows else 256}MB'")

    def analyze(self, schema: str, table: str) -> None:
        """Do nothing: DuckDB keeps statistics while it writes."""

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return leat type by column name.

        All tables are asked for at once and kept until a statement changes one: DuckDB binds every view of the file
        for each such question, and what other connections do isn't seen inside a transaction.
        """
        if self._columns is None:
            rows = self.execute(
                "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
                "WHERE database_name = current_database() ORDER BY schema_name, table_name, column_index"
            )
            found: dict[tuple[str, str], dict[str, str]] = {}
            for owner, name, column, kind in rows:
                found.setdefault((owner, name), {})[column] = leat_type(kind, "duckdb")
            self._columns = found
        return dict(self._columns.get((schema, table), {}))

    def sqlalchemy(self) -> sqlalchemy.Connection:
        """Return this transaction as a SQLAlchemy connection that can neither commit nor close it."""
        if self._alchemy is None:
            import sqlalchemy
            from duckdb_engine import ConnectionWrapper

            class Borrowed(ConnectionWrapper):
                def begin(self) -> None: ...  # the transaction is open; DuckDB gives it up at a second BEGIN
                def commit(self) -> None: ...
                def rollback(self) -> None: ...
                def close(self) -> None: ...

            engine = sqlalchemy.create_engine(
                "duckdb://", creator=lambda: Borrowed(self.connection), poolclass=sqlalchemy.StaticPool
            )
            remove_values(engine)
            self._alchemy = engine.connect()
        return self._alchemy


@dataclass(slots=True)
class DuckDBWarehouse:
    """The embedded warehouse in a state folder.

    Args:
        state: the project's state folder.
        memory: DuckDB's memory limit; what needs more is spilled to ``writer/tmp``.
    """

    state: Path
    memory: str = "1GB"
    dialect: Dialect = "duckdb"
    _threads: threading.RLock = field(default_factory=threading.RLock)

    @property
    def path(self) -> Path:
        """The published file, for readers."""
        return self.state / "warehouse.duckdb"

    @property
    def _writer(self) -> Path:
        return self.state / "writer" / "warehouse.duckdb"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._threads, file_lock(self.state / "writer" / "lock", _WRITER_WAIT, "the warehouse"):
            yield

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the one writing transaction."""
        with self._writing(), _telling_of_the_disk(self._writer):
            connection = self._connect(self._writer)
            try:
                connection.execute("BEGIN")
                yield DuckDBSession(connection)
                with values_removed():
                    connection.execute("COMMIT")
                    connection.execute("CHECKPOINT")
            finally:
                connection.close()
            self._writer.chmod(0o600)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction on the writer's file."""
        with self._writing(), _telling_of_the_disk(self._writer):
            # A killed writer leaves a log that only a writing connection takes over.
            read_only = self._writer.exists() and not self._log.exists()
            connection = self._connect(self._writer, read_only=read_only)
            try:
                yield DuckDBSession(connection)
            finally:
                connection.close()

    @contextlib.contextmanager
    def published(self) -> Iterator[DuckDBSession]:
        """Open a read-only transaction on the published file."""
        if not self.path.exists():
            msg = "nothing has been published yet; `leat run` loads the declared integrations"
            raise WarehouseError(msg)
        import duckdb

        # Connecting to the path itself would give the version that this process happens to have open already.
        with duckdb.connect(":memory:") as connection:
            with _telling_of_the_disk(self.path):
                connection.execute(f"ATTACH {literal(str(self.path))} AS warehouse (READ_ONLY)")
            connection.execute("USE warehouse")
            connection.execute("SET TimeZone = 'UTC'")
            yield DuckDBSession(connection)

    @contextlib.contextmanager
    def query(self, sql: str, limits: Limits = Limits()) -> Iterator[Answer]:  # noqa: B008 - frozen
        """Run one query of a reader on the published file."""
        with self.published() as session, answered(session.connection, self.state / "query", sql, limits) as answer:
            yield answer

    def publish(self, judge: Callable[[Session], bool] | None = None) -> bool:
        """Copy the writer's file beside the published one and rename it over, unless the judge says no."""
        if self.is_published() and not self._to_forget.exists():
            return False
        with self._writing(), _telling_of_the_disk(self.path):
            if self._log.exists():
                self._connect(self._writer).close()  # takes over the log and checkpoints
            if judge is not None and not self._judged(judge):
                return False
            if self._to_forget.exists():
                self._rewrite()
            if self.is_published():
                return False
            draft = self.path.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            written = self._writer.stat()
            try:
                _copy(self._writer, draft)
                os.utime(draft, ns=(written.st_atime_ns, written.st_mtime_ns))
                draft.replace(self.path)
            except OSError:
                draft.unlink(missing_ok=True)  # half a copy is of no use on a full disk
                raise
        return True

    def _judged(self, judge: Callable[[Session], bool]) -> bool:
        if not self._writer.exists():
            return True
        connection = self._connect(self._writer, read_only=True)
        try:
            return judge(DuckDBSession(connection))
        finally:
            connection.close()

    def forget(self) -> None:
        """Remember beside the writer's file, until the next publication, that it has to be rewritten.

        DuckDB keeps the content of blocks that it has freed, and the published copy would carry them along.
        """
        with self._writing():
            self._to_forget.touch(mode=0o600)

    def _rewrite(self) -> None:
        fresh = self._writer.with_suffix(".fresh")
        fresh.unlink(missing_ok=True)
        connection = self._connect(fresh)  # as the catalog warehouse, like the file it replaces
        try:
            connection.execute(f"ATTACH {literal(str(self._writer))} AS old (READ_ONLY)")
            connection.execute("COPY FROM DATABASE old TO warehouse")
        finally:
            connection.close()
        fresh.chmod(0o600)
        fresh.replace(self._writer)
        self._to_forget.unlink()

    @property
    def _to_forget(self) -> Path:
        return self._writer.with_name("forget")

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the lock file of an integration."""
        with file_lock(self.state / "landing" / f"{name}.lock", 0, f"integration {name}"):
            yield

    @property
    def _log(self) -> Path:
        return self._writer.with_name(self._writer.name + ".wal")

    def is_published(self) -> bool:
        """Return whether the published file is the newest version."""
        if self._log.exists():
            return False
        if not self._writer.exists():
            return True
        if not self.path.exists():
            return False
        ours, theirs = self._writer.stat(), self.path.stat()
        return (ours.st_mtime_ns, ours.st_size) == (theirs.st_mtime_ns, theirs.st_size)

    def _connect(self, path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        import duckdb

        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            connection = duckdb.connect(path, read_only=read_only)
        except duckdb.Error as error:
            msg = f"{path} can't be opened: {error}. Next: end other programs that have it open; `leat doctor` looks"
            raise WarehouseError(msg) from error
        connection.execute("SET TimeZone = 'UTC'")
        if not read_only:
            connection.execute(f"SET memory_limit = '{self.memory}'")
            connection.execute(f"SET temp_directory = {literal(str(path.parent / 'tmp'))}")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_external_file_cache = false")  # landed files are read once
        return connection


@contextlib.contextmanager
def _telling_of_the_disk(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into an error that says what to do."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _OF_THE_DISK:
            raise
        msg = f"{path}: {error}. Next: free disk space, then run it again; readers keep what is published"
        raise WarehouseError(msg) from error


def _copy(source: Path, target: Path) -> None:
    """Copy a file with mode 0600, sharing its blocks where the file system can."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
        try:
            fcntl.ioctl(writing, _FICLONE, reading.fileno())
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
                raise
            shutil.copyfileobj(reading, writing, 4 << 20)
        writing.flush()
        os.fsync(writing.fileno())
