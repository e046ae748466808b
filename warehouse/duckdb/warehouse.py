"""The embedded warehouse: a private DuckDB file that one process writes, and a published copy that everyone reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leat.warehouse.answer import Answer, Limits
from leat.warehouse.dialect import Dialect
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.duckdb.publication import DuckDBPublication
from leat.warehouse.duckdb.query import answered
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import WriterFile, explaining_the_disk
from leat.warehouse.locks import file_lock
from leat.warehouse.session import Session, WarehouseError, literal


@dataclass(slots=True)
class DuckDBWarehouse:
    """The embedded warehouse in a state folder.

    Args:
        state: the project's state folder.
        memory: DuckDB's memory limit; what needs more is spilled to ``writer/tmp``.
    """

    state: Path
    memory: str = "1GB"
    dialect: Dialect = DUCKDB
    _writer: WriterFile = field(init=False)
    _publication: DuckDBPublication = field(init=False)

    def __post_init__(self) -> None:
        self._writer = WriterFile(self.state / "writer" / "warehouse.duckdb", self.memory)
        self._publication = DuckDBPublication(self._writer, self.state / "warehouse.duckdb")

    @property
    def path(self) -> Path:
        """The published file, for readers."""
        return self._publication.path

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the one writing transaction."""
        with self._writer.locked(), explaining_the_disk(self._writer.path):
            connection = self._writer.connect()
            try:
                session = DuckDBSession(connection)
                session.execute("BEGIN")
                yield session
                session.execute("COMMIT")
                session.execute("CHECKPOINT")
            finally:
                connection.close()
            self._writer.path.chmod(0o600)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction on the writer's file."""
        with self._writer.locked(), explaining_the_disk(self._writer.path):
            # A killed writer leaves a log that only a writing connection takes over.
            read_only = self._writer.path.exists() and not self._writer.log.exists()
            connection = self._writer.connect(read_only=read_only)
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
            with explaining_the_disk(self.path):
                connection.execute(f"ATTACH {literal(str(self.path))} AS warehouse (READ_ONLY)")
            connection.execute("USE warehouse")
            connection.execute("SET TimeZone = 'UTC'")
            yield DuckDBSession(connection)

    @contextlib.contextmanager
    def query(self, sql: str, limits: Limits = Limits()) -> Iterator[Answer]:  # noqa: B008 - frozen
        """Run one query of a reader on the published file."""
        with self.published() as session, answered(session.connection, self.state / "query", sql, limits) as answer:
            yield answer

    def is_published(self) -> bool:
        """Return whether the published file is the newest version."""
        return self._publication.is_current()

    def publish(self, judge: Callable[[Session], bool] | None = None) -> bool:
        """Copy the writer's file over the published one, unless the judge says no."""
        return self._publication.publish(judge)

    def forget(self) -> None:
        """Let the next publication rewrite the writer's file."""
        self._publication.rewrite_next()

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold the lock file of an integration."""
        with file_lock(self.state / "landing" / f"{name}.lock", 0, f"integration {name}"):
            yield
