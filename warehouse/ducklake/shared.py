"""A lake that several machines write: its catalog is in Postgres, its files are in an object store or a shared folder.

::

    leat (any machine) --locks, lease, fence--> Postgres <--one commit, checked-- DuckLake --> s3://bucket/lake/*.parquet

A commit of the catalog shows readers the whole of a load or nothing. The locks are those of a Postgres warehouse, held
by a transaction of the catalog's server for as long as DuckLake's own is open; see :mod:`.guard`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn

from leat.warehouse.answer import Answer, Limits
from leat.warehouse.clearance import NOBODY, AccessPlan, Clearances, Membership
from leat.warehouse.dialect import Dialect
from leat.warehouse.duckdb.interrupt import interruptible
from leat.warehouse.duckdb.query import answered
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.ducklake.attach import SharedCatalog
from leat.warehouse.ducklake.dialect import SHARED_LAKE
from leat.warehouse.ducklake.guard import Guard, explain, install, wait_for_commits
from leat.warehouse.ducklake.tidying import forget, is_due, tidy_shared
from leat.warehouse.lease import Lease
from leat.warehouse.postgres.leases import Leases
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.query import refuse_catalog
from leat.warehouse.session import Decide, Session, WarehouseError

if TYPE_CHECKING:
    import duckdb

_WAIT = 600.0


class _Session(DuckDBSession):
    """A transaction on a lake."""

    def has_function(self, schema: str, name: str) -> bool:
        """Return whether there is such a function, of whatever kind, as on Postgres."""
        there = "database_name = current_database() AND schema_name = ? AND function_name = ?"
        return bool(self.execute(f"SELECT 1 FROM duckdb_functions() WHERE {there}", (schema, name)))


@dataclass(slots=True)
class SharedLake:
    """The lake of a catalog in Postgres.

    Args:
        state: the project's state folder, for what is landed and what doesn't fit into memory.
        catalog: where the catalog and the files are.
        server: the catalog's database, for locks and leases.
    """

    state: Path
    catalog: SharedCatalog
    server: PostgresWarehouse = field(init=False, repr=False)
    dialect: Dialect = SHARED_LAKE
    publication: ClassVar[None] = None  # a commit shows readers what it wrote
    encrypted: ClassVar[bool] = False
    _opened: list[duckdb.DuckDBPyConnection] = field(default_factory=list)
    _opening: threading.Lock = field(default_factory=threading.Lock)
    _overlapped: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server = PostgresWarehouse(self.catalog.url)

    @property
    def leases(self) -> Leases:
        """The rights to run integrations, in the catalog's database."""
        return self.server.leases

    @property
    def client(self) -> tuple[str, str]:
        """The command line of DuckDB."""
        return "DuckDB CLI", self.catalog.client

    @property
    def decide(self) -> Decide:
        """Nobody is granted anything."""
        return NOBODY

    @decide.setter
    def decide(self, _decide: Decide) -> NoReturn:
        msg = (
            "policies/ declares grants, which a lake with its catalog in Postgres can't enforce: who connects to it "
            "reads all tables. Next: remove the grants, or take a warehouse on Postgres or DuckDB"
        )
        raise WarehouseError(msg)

    def keys_in_use(self, _wait: float) -> set[int]:
        """Return none: leat doesn't encrypt the files."""
        return set()

    @contextlib.contextmanager
    def transaction(self, *schemas: str, one_moment: bool = False, lease: Lease | None = None) -> Iterator[Session]:
        """Open a writing transaction.

        DuckLake finds out at the commit that another one has changed rows of the same table, such as one of leat's own.
        Then all is undone, and the next transaction that writes these schemas is alone. So is one that nobody repeats.
        """
        side_by_side = (lease is not None or one_moment) and schemas not in self._overlapped
        with self.server.transaction(
            *(schemas if side_by_side else ()), one_moment=one_moment and side_by_side, lease=lease
        ) as locks:
            connection = self._connect()
            with (
                contextlib.closing(connection),
                Guard(locks, lease, self.server.frozen) as guard,
                explain(self.server, lease),
            ):
                wait_for_commits(self.server)
                session = _Session(connection, self.dialect)
                session.execute("BEGIN")
                yield session
                session.execute(
                    f"CALL ducklake_set_commit_message('warehouse', 'leat', '', extra_info => '{guard.mark}')"
                )
                sys.audit("leat.statement", "COMMIT")
                try:
                    connection.execute("COMMIT")  # its error is read by explain(), which shows nothing of it
                except Exception as error:
                    self._overlapped.add(schemas)
                    raise guard.failed(error) from None
                self._overlapped.discard(schemas)
        if one_moment:
            self._tidy()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction that sees one moment."""
        with contextlib.closing(self._connect()) as connection, explain(self.server, None):
            session = _Session(connection, self.dialect)
            session.execute("BEGIN")
            yield session

    @contextlib.contextmanager
    def at_rest(self, wait: float = _WAIT) -> Iterator[Session]:
        """Open a read-only transaction with the lock of the whole warehouse, so that nobody writes."""
        with self.server.at_rest(wait):
            wait_for_commits(self.server)
            with self.snapshot() as session:
                yield session

    @contextlib.contextmanager
    def published(self) -> Iterator[DuckDBSession]:
        """Open a read-only transaction: what is committed is published."""
        with self._alone() as connection, explain(self.server, None):
            self.catalog.confine(connection, self.state)
            session = _Session(connection, self.dialect)
            session.execute("BEGIN")
            yield session

    @contextlib.contextmanager
    def query(
        self,
        sql: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        role: str | None = None,
    ) -> Iterator[Answer]:
        """Run one query of a reader on what is committed."""
        if role is not None:
            msg = f"role {role}: nothing is granted to roles on a lake with its catalog in Postgres"
            raise WarehouseError(msg)
        refuse_catalog(sql)
        with (
            self._alone() as connection,
            explain(self.server, None),
            answered(connection, self.state / "query", sql, limits, [self.catalog.data]) as answer,
        ):
            yield answer

    @contextlib.contextmanager
    def _alone(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the lake for one reader, whose settings concern nobody else."""
        with self.catalog.connect(read_only=True) as connection, interruptible(connection):
            yield connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the lake that this process has open."""
        with self._opening:
            if not self._opened:
                install(self.server, self._open)
        connection = self._opened[0].cursor()
        connection.execute("USE warehouse")
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _open(self) -> None:
        connection = self.catalog.connect(read_only=False)
        try:
            self.catalog.confine(connection, self.state)
            connection.execute("SET memory_limit = '1GB'")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_external_file_cache = false")  # landed files are read once
        except BaseException:
            connection.close()
            raise
        self._opened.append(connection)

    def _tidy(self) -> None:
        if is_due(self.server, self.catalog.retain):
            with self.server.transaction(), contextlib.closing(self._connect()) as connection:
                wait_for_commits(self.server)
                tidy_shared(_Session(connection, self.dialect), self.catalog.retain)

    def compact(self, tables: Sequence[str]) -> None:
        """Write all files again without rows that were deleted, and remove the old ones and all earlier versions."""
        if tables:
            with self.server.transaction(), contextlib.closing(self._connect()) as connection:
                wait_for_commits(self.server)
                forget(_Session(connection, self.dialect))
            self.server.compact(self.catalog.with_values(self.server))

    def plan_access(
        self, session: Session, clearances: Clearances, members: Mapping[str, str], *, make: bool
    ) -> AccessPlan:
        """Return nothing to do: no roles are enforced here."""
        del session, clearances, members, make
        return AccessPlan([], {})

    def change_access(self, session: Session, plan: AccessPlan) -> None:
        """Do nothing."""

    def read_membership(self, session: Session, clearances: Clearances) -> list[Membership]:
        """Return nobody."""
        del session, clearances
        return []

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            self._opened.clear()  # those who still read have connections of their own
        self.server.close()

    def waiting_writers(self) -> int:
        """Return how many transactions wait for a lock."""
        return self.server.waiting_writers()

    @contextlib.contextmanager
    def exclusive(self, name: str, wait: float | None = None) -> Iterator[Lease]:
        """Hold a lease in the catalog's database."""
        with self.server.exclusive(name, wait) as lease:
            yield lease
