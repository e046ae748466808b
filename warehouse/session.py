"""One open transaction in a warehouse, DuckDB or Postgres alike.

Before a statement runs, its text is passed to Python's audit hooks as the event ``leat.statement``; before a part of a
file is copied, the file's path as ``leat.copy``. Together with Python's own events, such as ``os.rename``, a test can
so end the process at each of them. Without a hook an event costs 30 nanoseconds.
See https://docs.python.org/3/library/sys.html#sys.audit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy

    from leat.warehouse.answer import Answer, Limits
    from leat.warehouse.clearance import AccessPlan, Clearances, Membership
    from leat.warehouse.dialect import Dialect
    from leat.warehouse.lease import Lease


class Busy(Exception):
    """Someone else is doing this now; trying again later will work."""


class Overlapped(Busy):
    """A transaction was undone because another one was in its way; the same again will work."""


class WarehouseError(Exception):
    """The warehouse refused or can't go on; the text says what to do next."""


class Unreachable(WarehouseError):
    """The server of the warehouse doesn't answer, or has ended the connection."""


class NothingPublished(WarehouseError):
    """Readers have no version yet."""


class OutOfMemory(WarehouseError):
    """Rows so large that a vector of them takes more memory than was allowed."""


class Session(Protocol):
    """One open transaction. Parameters are ``?`` in the order of the sequence; the driver binds them."""

    dialect: Dialect

    def execute(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows (none for DDL)."""

    def change(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run an INSERT, UPDATE or DELETE and return how many rows it touched."""

    def stage(self, name: str, files: Sequence[Path], schema: pa.Schema, there: Sequence[str] | None = None) -> None:
        """Make a temporary relation of parquet files, with the columns and leat types of the schema.

        Args:
            name: of the relation; it is gone when the transaction ends.
            files: the files.
            schema: the columns.
            there: what the columns are called in the files, in the order of the schema; None for the same.

        Raises:
            WarehouseError: a file lacks a column.
        """

    def scratch(self) -> Path | None:
        """Return the folder for files that are made to be staged; None for the system's."""

    def batches(self, select: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a SELECT, some thousand at a time, with the columns and types of a schema.

        Run no other statement in this transaction before the last one was taken. JSON has to be selected as text.
        """

    def create_temporary(self, name: str, select: str, params: Sequence[Any] = ()) -> None:
        """Store the rows of a SELECT in a temporary table until the transaction ends."""

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return leat type by column name, in order; empty when there is no such table."""

    def tables(self, schemas: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
        """Return schema and name of each table and view of some schemas, with its leat type by column name."""

    def has_function(self, schema: str, name: str) -> bool:
        """Return whether there is a function that takes one parameter and gives a table."""

    def sqlalchemy(self) -> sqlalchemy.Connection:
        """Return this transaction as a SQLAlchemy connection; committing or closing it does nothing."""


class Decide(Protocol):
    """Decides what each role may read."""

    def __call__(self, session: Session) -> Clearances | None:
        """Return what each role may read of the tables that are there; None where nobody is granted anything."""

    def mark(self) -> str | None:
        """Return what decides, apart from the tables, as :attr:`Clearances.mark` has it; it is quick."""


class Publication(Protocol):
    """What readers see of a warehouse, where a commit doesn't show it to them yet.

    Ask through :mod:`leat.warehouse.publication`, which serves every warehouse.
    """

    def is_current(self) -> bool:
        """Return whether readers see all that has been written."""

    def version(self) -> Hashable:
        """Return a value that is another one when readers see something new; it is quick."""

    def publish(self, judge: Callable[[Session], bool] | None = None) -> bool:
        """Let readers see what has been written, unless the judge says no; returns whether there was anything new.

        Raises:
            Busy: another process has been writing for too long.
            WarehouseError: the disk is full.
        """

    def rewrite_next(self) -> None:
        """Let the next version that is published have nothing in its files of rows that are about to be dropped."""


class Warehouse(Protocol):
    """Where the tables are. Readers are never blocked."""

    decide: Decide
    """What roles may read who connect to the warehouse itself."""

    @property
    def dialect(self) -> Dialect:
        """What is spoken to it."""

    @property
    def publication(self) -> Publication | None:
        """What readers see; None where they see each commit."""

    @property
    def client(self) -> tuple[str, str]:
        """The name of a program that opens the warehouse without leat, and the command that starts it."""

    @property
    def encrypted(self) -> bool:
        """Whether leat encrypts its files; those of a server are the server's affair."""

    def keys_in_use(self, wait: float) -> set[int]:
        """Return which of the keys that it was opened with its files are encrypted with, by their places.

        Raises:
            Busy: another process has been writing for so many seconds.
        """

    def transaction(
        self, *schemas: str, one_moment: bool = False, lease: Lease | None = None
    ) -> AbstractContextManager[Session]:
        """Open a writing transaction: commits when the block ends, rolls back when it raises.

        Of leat's own tables it may write the rows that are about its schemas. On DuckDB it is the only one.

        Args:
            schemas: what it writes; other transactions write others at the same time. None for all of the warehouse,
                and for whatever others could be in the way of; then it is alone.
            one_moment: whether it writes what is derived from all schemas, and reads them as they are at one moment.
                One transaction at a time does.
            lease: the right by which it writes; nobody takes that over before the transaction ends.

        Raises:
            Busy: another process has been writing for too long.
            Fenced: another process has taken over.
            Overlapped: another transaction was in the way.
        """

    def snapshot(self) -> AbstractContextManager[Session]:
        """Open a read-only transaction on what has been written, published or not."""

    def at_rest(self, wait: float = ...) -> AbstractContextManager[Session]:
        """Open a read-only transaction on what has been written; nobody writes before it ends.

        Raises:
            Busy: another process has been writing for so many seconds.
        """

    def published(self) -> AbstractContextManager[Session]:
        """Open a read-only transaction on what readers see.

        Raises:
            NothingPublished: nothing has been published yet.
        """

    def query(self, sql: str, limits: Limits = ..., role: str | None = None) -> AbstractContextManager[Answer]:
        """Run one query of a reader on what readers see: it can only read, be interrupted, and take so much.

        Args:
            sql: the query.
            limits: what it may take.
            role: as whom to read, where roles are granted what they may read; None for all that there is.

        Raises:
            WarehouseError: it does anything else than read, the database refused it, it takes more than it may, or
                nothing was granted to the role yet.
        """

    def compact(self, tables: Sequence[str]) -> None:
        """Let the files of tables, as SQL names them, have nothing of rows that were deleted or changed.

        On DuckDB the publication does that, see :func:`leat.warehouse.publication.rewrite_next_version`.
        """

    def plan_access(
        self, session: Session, clearances: Clearances, members: Mapping[str, str], *, make: bool
    ) -> AccessPlan:
        """Return how the access of roles and accounts differs from what is wanted; nothing is changed.

        Args:
            session: an open transaction.
            clearances: what each role may read; no roles where nobody is granted anything any longer.
            members: the role of accounts; whoever isn't one of them belongs to none.
            make: whether what enforces a role is to be made where it is missing.
        """

    def change_access(self, session: Session, plan: AccessPlan) -> None:
        """Do what a plan says, in the writing transaction of the caller.

        Raises:
            WarehouseError: leat itself may not.
        """

    def read_membership(self, session: Session, clearances: Clearances) -> list[Membership]:
        """Return who may read what each role may."""

    def close(self) -> None:
        """Close what was left open for the next use; using the warehouse again opens it again."""

    def waiting_writers(self) -> int | None:
        """Return how many transactions wait for others to end; None where nobody counts them.

        Raises:
            WarehouseError: the warehouse doesn't answer.
        """

    def exclusive(self, name: str, wait: float | None = None) -> AbstractContextManager[Lease]:
        """Hold the right to run an integration, across processes.

        Args:
            name: the integration.
            wait: seconds to wait for another process; None for what suits the engine.

        Raises:
            Busy: another process holds it.
            Fenced: another process took over meanwhile.
        """


def quote(*names: str) -> str:
    """Return a quoted identifier; several names are joined by dots."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: str | int | float | Decimal | datetime | date | None) -> str:
    """Return a value as SQL text, for statements that take no parameters."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def execute_all(session: Session, statements: Iterable[str]) -> None:
    """Execute statements of the session's dialect, one after the other."""
    for statement in statements:
        session.execute(statement)


def check_files(name: str, files: Sequence[Path], columns: Collection[str]) -> None:
    """Check that every parquet file has all columns: one that is missing must never be read as empty.

    Raises:
        WarehouseError: a file lacks a column.
    """
    from pyarrow import parquet

    for file in files:
        missing = set(columns) - set(parquet.read_schema(file).names)
        if missing:
            msg = (
                f"{name}: {file.name} lacks {', '.join(sorted(missing))}. Next: report this; nothing of the load is "
                "applied, and the next run extracts the same again"
            )
            raise WarehouseError(msg)


def field_types(schema: pa.Schema) -> dict[str, str]:
    """Return leat type by column name of an Arrow schema made by :func:`leat.sources.stream.arrow_schema`."""
    return {field.name: (field.metadata or {})[b"leat.type"].decode() for field in schema}
