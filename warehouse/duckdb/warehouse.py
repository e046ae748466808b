"""The embedded warehouse: a private DuckDB file that one process writes, and a published copy that everyone reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.answer import Answer, Limits
from leat.warehouse.clearance import AccessPlan, Clearances, Membership
from leat.warehouse.dialect import Dialect
from leat.warehouse.duckdb.clearance import ClearanceFiles
from leat.warehouse.duckdb.encryption import PLAIN
from leat.warehouse.duckdb.form import FileForm
from leat.warehouse.duckdb.interrupt import interruptible
from leat.warehouse.duckdb.newest import NewestVersion
from leat.warehouse.duckdb.publication import DuckDBPublication
from leat.warehouse.duckdb.query import answered
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import WRITER_WAIT, WriterFile, confine, explaining_the_disk, in_memory
from leat.warehouse.lease import Lease
from leat.warehouse.locks import file_lock
from leat.warehouse.session import Decide, NothingPublished, Session, execute_all

if TYPE_CHECKING:
    import duckdb


@dataclass(slots=True)
class DuckDBWarehouse:
    """The embedded warehouse in a state folder.

    Args:
        state: the project's state folder.
        memory: DuckDB's memory limit; what needs more is spilled to ``writer/tmp``.
        form: of its files.
    """

    state: Path
    memory: str = "1GB"
    form: FileForm = PLAIN
    publication: DuckDBPublication = field(init=False)
    _files: ClearanceFiles = field(init=False)
    _writer: WriterFile = field(init=False)
    _newest: NewestVersion = field(init=False)

    def __post_init__(self) -> None:
        self._writer = WriterFile(self.state / self.form.written, self.memory, self.form)
        self.publication = DuckDBPublication(self._writer, self.state / self.form.published)
        self._newest = NewestVersion(self.publication)
        self._files = ClearanceFiles(self._writer, self.publication, self.state / "clearance")
        self.publication.after = self._files.follow

    @property
    def dialect(self) -> Dialect:
        """What is spoken to it."""
        return self.form.dialect

    @property
    def decide(self) -> Decide:
        """What decides what roles may read."""
        return self._files.decide

    @decide.setter
    def decide(self, decide: Decide) -> None:
        self._files.decide = decide

    @property
    def path(self) -> Path:
        """The published file, for readers."""
        return self.publication.path

    @property
    def client(self) -> tuple[str, str]:
        """The command line of DuckDB, which reads the published file."""
        return "DuckDB CLI", self.form.client(self.path)

    @property
    def encrypted(self) -> bool:
        """Whether the writer's file is encrypted."""
        return self.form.is_encrypted(self._writer.path)

    def keys_in_use(self, wait: float) -> set[int]:
        """Return which keys open the writer's file, the published one and those of roles; none changes meanwhile."""
        with self._writer.locked(wait):
            files = [
                path for path in (self._writer.path, self.path, *self._files.paths()) if self.form.is_encrypted(path)
            ]
            return {number for path in files if (number := self.form.opened_by(path)) is not None}

    @contextlib.contextmanager
    def transaction(self, *_schemas: str, one_moment: bool = False, lease: Lease | None = None) -> Iterator[Session]:
        """Open the one writing transaction, whatever it writes."""
        del one_moment, lease  # nobody else writes, and a lock of this machine is the right to
        with self._writer.locked(), explaining_the_disk(self._writer.path):
            connection = self._writer.connect()
            try:
                session = DuckDBSession(connection, self.dialect)
                session.execute("BEGIN")
                yield session
                session.execute("COMMIT")
                execute_all(session, self.form.after_commit)
            finally:
                connection.close()
            self._writer.path.chmod(0o600)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction: on the published file while it is the newest version, else on the writer's."""
        newest = self._newest.connect()
        if newest is not None:
            with explaining_the_disk(self.path), newest:
                yield self._reading(newest)
            return
        with self.at_rest() as session:
            yield session

    @contextlib.contextmanager
    def at_rest(self, wait: float = WRITER_WAIT) -> Iterator[Session]:
        """Open a read-only transaction on the writer's file, and hold its lock."""
        with self._writer.locked(wait), explaining_the_disk(self._writer.path):
            # A killed writer leaves a log that only a writing connection takes over.
            read_only = self._writer.path.exists() and not self._writer.log.exists()
            connection = self._writer.connect(read_only=read_only)
            try:
                yield DuckDBSession(connection, self.dialect)
            finally:
                connection.close()

    @contextlib.contextmanager
    def published(self) -> Iterator[DuckDBSession]:
        """Open a read-only transaction on the published file."""
        newest = self._newest.connect()
        if newest is None:
            with self._alone(self.path) as connection:
                confine(connection, self._writer.path.with_name("tmp"))
                yield self._reading(connection)
            return
        with newest, interruptible(newest), explaining_the_disk(self.path):
            yield self._reading(newest)

    def _reading(self, connection: duckdb.DuckDBPyConnection) -> DuckDBSession:
        session = DuckDBSession(connection, self.dialect)
        execute_all(session, self.form.before_reading)
        return session

    @contextlib.contextmanager
    def query(
        self,
        sql: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        role: str | None = None,
    ) -> Iterator[Answer]:
        """Run one query of a reader on the published file, or on that of their role."""
        path = self.path if role is None else self._files.path_of(role)
        folders = (self.state / "live", *self.form.folders(path))  # hooks.events also reads what isn't applied yet
        with (
            self._alone(path) as connection,
            answered(connection, self.state / "query", sql, limits, folders) as answer,
        ):
            yield answer

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a published file for one reader, whose settings concern nobody else."""
        if not path.exists():
            msg = "nothing has been published yet; `leat run` loads the declared integrations"
            raise NothingPublished(msg)
        # Connecting to the path itself would give the version that this process happens to have open already.
        with in_memory() as connection, interruptible(connection):
            with explaining_the_disk(path):
                self.form.attach(connection, path, "warehouse", read_only=True)
            connection.execute("USE warehouse")
            connection.execute("SET TimeZone = 'UTC'")
            yield connection

    def compact(self, tables: Sequence[str]) -> None:
        """Do nothing: the next publication rewrites the file."""

    def plan_access(
        self, session: Session, clearances: Clearances, members: Mapping[str, str], *, make: bool
    ) -> AccessPlan:
        """Return what would become of the files of roles; who belongs to a group is up to the machine."""
        del session, members, make
        return self._files.plan(clearances)

    def change_access(self, session: Session, plan: AccessPlan) -> None:
        """Do nothing: the next publication makes the files."""

    def read_membership(self, session: Session, clearances: Clearances) -> list[Membership]:
        """Return the accounts of the machine that are in the group of a role."""
        del session
        return self._files.membership(clearances)

    def close(self) -> None:
        """Close the published file, which snapshots leave open for the next."""
        self._newest.close()

    def waiting_writers(self) -> None:
        """Return None: whoever waits for the writer's lock asks for it again and again, and is counted nowhere."""

    @contextlib.contextmanager
    def exclusive(self, name: str, wait: float | None = None) -> Iterator[Lease]:
        """Hold the lock file of an integration."""
        with file_lock(self.state / "landing" / f"{name}.lock", wait or 0, f"integration {name}"):
            yield Lease(name)
