"""Open the control store: SQLite in the project's state folder, or the Postgres that ``LEAT_CONTROL`` names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from leat.control.migrations import is_current, migrate
from leat.control.tables import Integration
from leat.files import make_once
from leat.sqlcipher import NEXT_STEP, WRONG_KEY, create_sqlite
from leat.tls import postgres_options
from leat.warehouse.locks import file_lock
from leat.warehouse.session import Unreachable, WarehouseError
from leat.warehouse.url import check_postgres_url, is_postgres

_BUSY_MS = 30_000
_NETWORK = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
            "tcp_user_timeout": 10_000}  # fmt: skip
"""When a server of Postgres counts as gone, as libpq takes it; else a thread would wait for a lost one for minutes."""
_LOST = ("08", "57P", "53300")
"""SQLSTATEs of a lost connection: its own class, a server that ends or begins, and one that has too many of them."""
_NEXT_STEP = "check LEAT_CONTROL; it takes postgresql://user:password@host/database or sqlite:////path/control.db"


def open_control(url: str, *, pooled: bool = True) -> Engine:
    """Open a control store, made or brought to the newest schema first where need be.

    A SQLite file is made with mode 0600, its folder with 0700; :mod:`leat.sqlcipher` encrypts it where the URL says so.
    Several processes may do this at once.

    Args:
        url: of the store.
        pooled: whether connections stay open for the next transaction.

    Raises:
        WarehouseError: the URL is wrong, the store can't be opened, or it was made by a newer leat; it is
            :class:`~leat.warehouse.session.Unreachable` if the server doesn't answer or refuses to.
        Busy: another process has been migrating it for a minute.
    """
    with _explaining():
        engine = connect_control(url, pooled=pooled)
        with engine.begin() as connection:
            current = is_current(connection)
        if not current:
            _migrate(engine)
    return engine


def connect_control(url: str, *, pooled: bool = True) -> Engine:
    """Open a control store as it is, or an empty database; a SQLite file is made where there is none.

    Raises:
        WarehouseError: the URL is wrong, or the file can't be made.
    """
    with _explaining():
        return _engine(check_postgres_url(url, "LEAT_CONTROL") if is_postgres(url) else url, pooled=pooled)


@contextlib.contextmanager
def _explaining() -> Iterator[None]:
    """Turn errors of opening a store into those that say what to do."""
    try:
        yield
    except ArgumentError as error:
        msg = f"the URL of the control store can't be read; {_NEXT_STEP}"
        raise WarehouseError(msg) from error
    except Unreachable as error:
        msg = f"the control store can't be opened: {error.__cause__ or error}; {_NEXT_STEP}"
        raise Unreachable(" ".join(msg.split())) from error
    except (DBAPIError, OSError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).strip()
        msg = f"the control store can't be opened: {reason}; {NEXT_STEP if reason == WRONG_KEY else _NEXT_STEP}"
        raise WarehouseError(msg) from error


@contextlib.contextmanager
def writing(engine: Engine, *, durable: bool = False) -> Iterator[Session]:
    """Give a session whose transaction is committed at the end of the block, and undone when the block raises.

    On SQLite it holds the write lock from its start, for a transaction that reads first can't always get it later.

    Args:
        engine: the store.
        durable: whether the transaction has to survive a power failure. Postgres always sees to that; SQLite then waits
            for the disk, about 1 ms.
    """
    options = engine.execution_options(leat_writes=True, leat_durable=durable)
    try:
        with Session(options, autoflush=False) as session, session.begin():
            yield session
    finally:
        _Writes.last = object()


class _Writes:
    last: object = object()


def last_write() -> object:
    """Return an object that identifies the last writing transaction of this process; each gives a new one."""
    return _Writes.last


def find_integration(session: Session, name: str) -> Integration:
    """Return the row of an integration.

    Raises:
        WarehouseError: it has not been registered.
    """
    row = session.scalar(select(Integration).filter_by(name=name))
    if row is None:
        msg = f"the control store doesn't know the integration {name}; register it first"
        raise WarehouseError(msg)
    return row


def storable(message: str) -> str:
    """Return text that Postgres and SQLite can store: without NUL and lone surrogates."""
    return message.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _engine(url: str, *, pooled: bool) -> Engine:
    parsed, pool = make_url(url), {} if pooled else {"poolclass": NullPool}
    if parsed.get_backend_name() == "postgresql":
        given: dict[str, Any] = {name: value for name, value in _NETWORK.items() if name not in parsed.query}
        given |= postgres_options(parsed.host, parsed.query)
        engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True, connect_args=given, **pool)
        event.listen(engine, "handle_error", _explain_loss)
        return engine
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        msg = f"neither Postgres nor a SQLite file; {_NEXT_STEP}"
        raise ArgumentError(msg)
    _create_file(Path(str(parsed.database)))
    engine = create_sqlite(parsed, hide_parameters=True, **pool)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _explain_loss(context: ExceptionContext) -> Unreachable | None:
    """Return the error for a server that doesn't answer, or has ended the connection; None for any other.

    What opens connections is asked for none of the details: libpq has a text for a wrong password, no SQLSTATE.
    """
    import psycopg2

    error = context.original_exception
    if context.is_pre_ping or not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return None
    state = getattr(error, "pgcode", None)
    if state is not None and not state.startswith(_LOST):
        return None
    context.is_disconnect = True
    reason = " ".join(str(error).split()).rstrip(".")
    return Unreachable(f"the control store doesn't answer: {reason}. Next: check LEAT_CONTROL and its server")


def _create_file(path: Path) -> None:
    """Make the file with mode 0600; a file that is there is never opened.

    Closing it would end all locks that this process has on it, those of SQLite's other connections too: another process
    could then remove their log, and what they commit is lost (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        make_once(path)


def _set_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # else sqlite3 starts and ends transactions by itself
    for pragma in (f"busy_timeout = {_BUSY_MS}", "foreign_keys = on", "synchronous = normal"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    writes, durable = options.get("leat_writes", False), options.get("leat_durable", False)
    if durable or connection.info.get("leat_durable"):  # the setting stays with the connection
        connection.exec_driver_sql(f"PRAGMA synchronous = {'full' if durable else 'normal'}")
        connection.info["leat_durable"] = durable
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine) -> None:
    with contextlib.ExitStack() as stack:
        if engine.dialect.name == "sqlite":
            stack.enter_context(file_lock(Path(f"{engine.url.database}.lock"), 60, "the control store"))
            use_wal(engine)
        migrate(stack.enter_context(writing(engine)).connection())


def use_wal(engine: Engine) -> None:
    """Let readers and the writer work at the same time; the setting is stored in the file."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = wal")
    finally:
        raw.close()
