"""The Postgres warehouse: MVCC is the publication; a commit shows readers the whole of a load or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from leat.tls import postgres_options
from leat.warehouse.answer import Answer, Limits
from leat.warehouse.clearance import NOBODY, AccessPlan, Clearances, Membership
from leat.warehouse.dialect import Dialect
from leat.warehouse.error_text import remove_values
from leat.warehouse.locks import advisory_key
from leat.warehouse.postgres.access import plan_access, read_membership
from leat.warehouse.postgres.dialect import POSTGRES
from leat.warehouse.postgres.grants import execute_grants, grant
from leat.warehouse.postgres.query import answered
from leat.warehouse.postgres.roles import role_on_server
from leat.warehouse.postgres.session import PostgresSession
from leat.warehouse.session import Busy, Decide, Session, WarehouseError, quote
from leat.warehouse.url import shown_url

if TYPE_CHECKING:
    import sqlalchemy

_WRITER_WAIT_MS = 600_000
_TAKEOVER_WAIT = 3.0
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}


@dataclass(slots=True)
class PostgresWarehouse:
    """The warehouse in a Postgres database.

    Args:
        url: ``postgresql://user:password@host:port/database``.
        dialect: its dialect.
        decide: decides what roles may read, which is granted in each transaction that changes a table.
    """

    url: str
    dialect: Dialect = POSTGRES
    publication: ClassVar[None] = None  # a commit shows readers what it wrote
    client: ClassVar[tuple[str, str]] = "psql", 'psql "$LEAT_WAREHOUSE"'
    decide: Decide = NOBODY
    _made: list[sqlalchemy.Engine] = field(default_factory=list)

    @property
    def _engine(self) -> sqlalchemy.Engine:
        if not self._made:
            import sqlalchemy

            url = sqlalchemy.make_url(self.url).set(drivername="postgresql+psycopg2")
            # A server-side check notices within a second that the client was killed, and lets go of its locks.
            options = "-c timezone=UTC -c client_connection_check_interval=1s -c application_name=leat"
            options += " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
            self._made.append(
                sqlalchemy.create_engine(
                    url,
                    connect_args={
                        "options": options,
                        "connect_timeout": 10,
                        **_KEEPALIVE,
                        **postgres_options(url.host, url.query),
                    },
                    pool_pre_ping=True,  # the server may have been restarted
                    max_overflow=-1,  # a connection that waits for a lock must not starve the one that holds it
                )
            )
            remove_values(self._made[0], self.dialect)
        return self._made[0]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlalchemy.Connection]:
        import psycopg2
        import sqlalchemy

        lost = (psycopg2.OperationalError, psycopg2.InterfaceError)
        try:
            with self._connect() as connection:
                try:
                    yield connection
                except lost as error:
                    connection.invalidate()  # or else closing it would fail too, and say less
                    raise self._unavailable(error) from error
        except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError) as error:
            raise self._unavailable(error.orig) from error

    def _connect(self) -> sqlalchemy.Connection:
        import sqlalchemy

        try:
            return self._engine.connect()
        except sqlalchemy.exc.DBAPIError as error:  # an option that libpq doesn't know is no OperationalError
            raise self._unavailable(error.orig) from error

    def _unavailable(self, error: object) -> WarehouseError:
        shown = shown_url(self.url)
        what = " ".join(str(error).split()).rstrip(".")
        return WarehouseError(
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
    def transaction(self) -> Iterator[Session]:
        """Open the one writing transaction; others wait for it."""
        import psycopg2
        import sqlalchemy

        wait = sqlalchemy.text("SELECT set_config('lock_timeout', :ms, true)")
        lock = sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)")
        with self._connected() as connection:
            try:
                connection.execute(wait, {"ms": str(_WRITER_WAIT_MS)})
                connection.execute(lock, {"key": advisory_key("writer")})
            except sqlalchemy.exc.OperationalError as error:
                if not isinstance(error.orig, psycopg2.errors.LockNotAvailable):
                    raise
                msg = "the warehouse is locked by another process; retry later"
                raise Busy(msg) from error
            session = PostgresSession(connection, guarded=self.decide is not NOBODY)
            yield session
            if session.altered:
                self._grant(session)
            sys.audit("leat.statement", "COMMIT")
            connection.commit()

    def _grant(self, session: Session) -> None:
        """Give the rights on what was made or changed, so that nobody sees it with other rights."""
        clearances = self.decide(session)
        if clearances is not None:
            grant(session, clearances)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Open a read-only transaction that sees one moment."""
        with self._connected() as connection:
            reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield PostgresSession(reading)
            reading.rollback()

    @contextlib.contextmanager
    def at_rest(self, wait: float = _WRITER_WAIT_MS / 1000) -> Iterator[Session]:
        """Open a read-only transaction, and lock leat's own tables: whatever writes the warehouse writes one of them.

        It sees what is committed when it has the locks, which a snapshot of before would hide.
        """
        import psycopg2

        with self._connected() as connection:
            session = PostgresSession(connection.execution_options(postgresql_readonly=True))
            session.execute(f"SET LOCAL lock_timeout = '{round(wait * 1000)}ms'")
            own = session.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('leat', 'hooks') ORDER BY 1, 2"
            )
            try:
                if own:
                    session.execute(f"LOCK TABLE {', '.join(quote(*name) for name in own)} IN SHARE MODE")
            except psycopg2.errors.LockNotAvailable as error:
                msg = "the warehouse is locked by another process; retry later"
                raise Busy(msg) from error
            yield session
            connection.rollback()

    @contextlib.contextmanager
    def published(self) -> Iterator[PostgresSession]:
        """Open a read-only transaction: what is committed is published."""
        with self._connected() as connection:
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
        with self._connected() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in tables:
                alone.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table}")

    def close(self) -> None:
        """Close the connections of the pool."""
        while self._made:
            self._made.pop().dispose()

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a session-level advisory lock, so that it works across machines too.

        A killed holder's server process needs a moment to notice; hence the short wait.
        """
        import sqlalchemy

        with self._connected() as connection:
            take, key = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)"), advisory_key("integration", name)
            deadline = time.monotonic() + _TAKEOVER_WAIT
            while not connection.execute(take, {"key": key}).scalar():
                if time.monotonic() > deadline:
                    msg = f"integration {name} is locked by another process; retry later"
                    raise Busy(msg)
                time.sleep(0.05)
            connection.commit()
            try:
                yield
            finally:
                connection.detach()  # closing it for good gives the lock back, even when it is broken
