"""The Postgres warehouse: MVCC is the publication; a commit shows readers the whole of a load or nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from leat.tls import postgres_options
from leat.warehouse.answer import Answer, Limits
from leat.warehouse.clearance import NOBODY, AccessPlan, Clearances, Membership
from leat.warehouse.dialect import Dialect
from leat.warehouse.error_text import remove_values
from leat.warehouse.lease import Lease
from leat.warehouse.postgres.access import plan_access, read_membership
from leat.warehouse.postgres.dialect import POSTGRES
from leat.warehouse.postgres.grants import execute_grants, grant
from leat.warehouse.postgres.leases import Leases
from leat.warehouse.postgres.locks import make_tables, take_locks
from leat.warehouse.postgres.query import answered
from leat.warehouse.postgres.roles import role_on_server
from leat.warehouse.postgres.session import PostgresSession
from leat.warehouse.session import Busy, Decide, Overlapped, Session, Unreachable
from leat.warehouse.url import shown_url

if TYPE_CHECKING:
    import sqlalchemy

_LOCK_WAIT = 600.0
_ALONE = 15
"""So many times as long as others, whoever is alone may say nothing: it may compare all rows with another database."""
_SETTINGS = """SET LOCAL timezone = 'UTC'; SET LOCAL client_connection_check_interval = '1s';
SET LOCAL tcp_keepalives_idle = 30; SET LOCAL tcp_keepalives_interval = 10; SET LOCAL tcp_keepalives_count = 3;
SET LOCAL tcp_user_timeout = '60s'"""
"""For each transaction, for a pooler gives each another session. The first setting lets the server notice within a
second that the process was killed, the others that its machine is gone."""
_WRITES = "SET LOCAL lock_timeout = '{:.0f}ms'; SET LOCAL idle_in_transaction_session_timeout = '{:.0f}ms'"
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}


@dataclass(slots=True)
class PostgresWarehouse:
    """The warehouse in a Postgres database.

    Args:
        url: ``postgresql://user:password@host:port/database``.
        dialect: its dialect.
        decide: decides what roles may read, which is granted in each transaction that changes a table.
        lock_wait: seconds for which a transaction waits for others.
        frozen: seconds after which the server ends a writing transaction whose process says nothing.
    """

    url: str
    dialect: Dialect = POSTGRES
    publication: ClassVar[None] = None  # a commit shows readers what it wrote
    client: ClassVar[tuple[str, str]] = "psql", 'psql "$LEAT_WAREHOUSE"'
    decide: Decide = NOBODY
    lock_wait: float = _LOCK_WAIT
    frozen: float = 60.0
    leases: Leases = field(init=False, compare=False)
    _made: list[sqlalchemy.Engine] = field(default_factory=list)
    _has_locks: bool = False

    def __post_init__(self) -> None:
        self.leases = Leases(self.connected)

    @property
    def _engine(self) -> sqlalchemy.Engine:
        if not self._made:
            import sqlalchemy

            url = sqlalchemy.make_url(self.url).set(drivername="postgresql+psycopg2")
            self._made.append(
                sqlalchemy.create_engine(
                    url,
                    connect_args={
                        "application_name": "leat",
                        "connect_timeout": 10,
                        **_KEEPALIVE,
                        **postgres_options(url.host, url.query),
                    },
                    pool_pre_ping=True,  # the server may have been restarted
                    max_overflow=-1,  # a connection that waits for a lock must not starve the one that holds it
                )
            )
            sqlalchemy.event.listen(self._made[0], "begin", lambda begun: begun.exec_driver_sql(_SETTINGS))
            remove_values(self._made[0], self.dialect)
        return self._made[0]

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlalchemy.Connection]:
        """Open a connection in a transaction, which ends with the block and is rolled back unless it was committed.

        Raises:
            Unreachable: the server doesn't answer.
            Overlapped: another transaction was in the way.
        """
        import psycopg2
        import sqlalchemy

        lost = (psycopg2.OperationalError, psycopg2.InterfaceError)
        try:
            with self._connect() as connection:
                try:
                    yield connection
                except lost as error:
                    connection.invalidate()  # or else closing it would fail too, and say less
                    raise self._explained(error) from error
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
            raise self._explained(error.orig) from error

    def _connect(self) -> sqlalchemy.Connection:
        import sqlalchemy

        try:
            return self._engine.connect()
        except sqlalchemy.exc.DBAPIError as error:  # an option that libpq doesn't know is no OperationalError
            raise self._unavailable(error.orig) from error

    def _explained(self, error: BaseException | None) -> Exception:
        import psycopg2

        if isinstance(error, psycopg2.errors.LockNotAvailable):
            return Busy("the warehouse is locked by another process; retry later")
        if isinstance(error, psycopg2.extensions.TransactionRollbackError):
            return Overlapped("another transaction of the warehouse was in the way; retry")
        return self._unavailable(error)

    def _unavailable(self, error: object) -> Unreachable:
        shown = shown_url(self.url)
        what = " ".join(str(error).split()).rstrip(".")
        return Unreachable(
            f"{shown}: {what}. Next: check LEAT_WAREHOUSE, the server and its disk, then run it again; "
            "nothing is half-applied"
        )

    @property
    def encrypted(self) -> bool:
        """Return False: the files are the server's affair."""
        return False

    def keys_in_use(self, _wait: float) -> set[int]:
        """Return none: leat has no keys of a server's files."""
        return set()

    @contextlib.contextmanager
    def transaction(self, *schemas: str, one_moment: bool = False, lease: Lease | None = None) -> Iterator[Session]:
        """Open a writing transaction; those that write the same wait for it."""
        with self.connected() as connection:
            self._make_locks(connection)
            level = "REPEATABLE READ" if one_moment else "READ COMMITTED"
            connection = connection.execution_options(isolation_level=level)  # noqa: PLW2901 - it is the same one
            frozen = self.frozen * (1 if schemas else _ALONE)
            connection.exec_driver_sql(_WRITES.format(1000 * self.lock_wait, 1000 * frozen))
            take_locks(connection, schemas, one_moment=one_moment)
            if lease is not None:
                self.leases.check(connection, lease)
                lease.rest()  # a statement may take longer than a run may stall
            session = PostgresSession(connection, guarded=self.decide is not NOBODY)
            yield session
            if session.altered:
                self._grant(session, schemas)
            sys.audit("leat.statement", "COMMIT")
            connection.commit()

    def _make_locks(self, connection: sqlalchemy.Connection) -> None:
        if not self._has_locks:
            make_tables(connection)
            self._has_locks = True

    def _grant(self, session: Session, schemas: Sequence[str]) -> None:
        """Give the rights on what was made or changed, so that nobody sees it with other rights."""
        clearances = self.decide(session)
        if clearances is not None:
            grant(session, clearances, schemas)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction that sees one moment."""
        with self.connected() as connection:
            reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield PostgresSession(reading)
            reading.rollback()

    @contextlib.contextmanager
    def at_rest(self, wait: float = _LOCK_WAIT) -> Iterator[Session]:
        """Open a read-only transaction with the lock of the whole warehouse, so that nobody writes.

        It sees what is committed when it has the lock, which a snapshot of before would hide.
        """
        with self.connected() as connection:
            self._make_locks(connection)
            session = PostgresSession(connection.execution_options(postgresql_readonly=True))
            session.execute(f"SET LOCAL lock_timeout = '{round(wait * 1000)}ms'")
            take_locks(session.alchemy, (), one_moment=False)
            yield session
            connection.rollback()

    @contextlib.contextmanager
    def published(self) -> Iterator[PostgresSession]:
        """Open a read-only transaction: what is committed is published."""
        with self.connected() as connection:
            reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            try:
                yield PostgresSession(reading)
            finally:
                connection.invalidate()  # what a query has set must not reach the next user of the pool

    @contextlib.contextmanager
    def query(
        self,
        sql: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        role: str | None = None,
    ) -> Iterator[Answer]:
        """Run one query of a reader on what is committed, with the rights of their role."""
        with self.published() as session:
            name = None if role is None else role_on_server(session, role)
            with answered(session.raw, sql, limits, name) as answer:
                yield answer

    def plan_access(
        self, session: Session, clearances: Clearances, members: Mapping[str, str], *, make: bool
    ) -> AccessPlan:
        """Return how privileges, policies, views and members differ from what is wanted."""
        return plan_access(session, clearances, members, make=make)

    def change_access(self, session: Session, plan: AccessPlan) -> None:
        """Execute the statements of a plan."""
        execute_grants(session, plan.statements)

    def read_membership(self, session: Session, clearances: Clearances) -> list[Membership]:
        """Return the members of the roles of the server."""
        return read_membership(session, clearances)

    def compact(self, tables: Sequence[str]) -> None:
        """Write tables and their indexes again; each is locked meanwhile."""
        with self.connected() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in tables:
                alone.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table}")

    def close(self) -> None:
        """Close the connections of the pool."""
        while self._made:
            self._made.pop().dispose()

    def waiting_writers(self) -> int:
        """Return how many transactions wait for an advisory lock or a table of this database."""
        with self.connected() as connection:
            rows = connection.exec_driver_sql(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND locktype IN ('advisory', 'relation') "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return int(rows.scalar_one())

    @contextlib.contextmanager
    def exclusive(self, name: str, wait: float | None = None) -> Iterator[Lease]:
        """Hold a lease, so that it works across machines too."""
        with self.connected() as connection:
            self._make_locks(connection)
        with self.leases.hold(name, wait) as lease:
            yield lease
