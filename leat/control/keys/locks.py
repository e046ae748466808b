"""Locks by name for whoever uses a control store: files next to one on SQLite, advisory locks on Postgres.

They end with their holder at the latest. On Postgres a transaction without anything else holds one, for a lock of the
session would belong to whatever session a pooler picks. A thread asks the server something now and then, so that
only who is frozen loses the lock, after ten minutes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from leat.files import lock, make_private
from leat.warehouse.locks import advisory_key
from leat.warehouse.session import Busy, Unreachable, WarehouseError

_POLL = 0.05
_FROZEN = "SET LOCAL idle_in_transaction_session_timeout = '10min'"
_ASKED = 60.0
"""Seconds between two questions."""


@contextlib.contextmanager
def sharing(engine: Engine, name: str) -> Iterator[None]:
    """Hold a lock together with others who share it; waits for whoever holds it alone, which is short."""
    with _held(engine, name, None, shared=True):
        yield


@contextlib.contextmanager
def alone(engine: Engine, name: str, wait: float | None = None) -> Iterator[None]:
    """Hold a lock that nobody else holds.

    Args:
        engine: the control store.
        name: of the lock.
        wait: seconds to wait for others; None to wait as long as it takes.

    Raises:
        Busy: somebody else held it all the time.
    """
    with _held(engine, name, wait, shared=False):
        yield


@contextlib.contextmanager
def _held(engine: Engine, name: str, wait: float | None, *, shared: bool) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            if engine.dialect.name == "postgresql":
                held.enter_context(_in_postgres(engine, advisory_key("key", name), wait, shared=shared))
            else:
                folder = Path(f"{engine.url.database}.locks")
                make_private(folder)
                held.enter_context(lock(folder / name, *(() if wait is None else (wait,)), shared=shared))
        except BlockingIOError as error:
            msg = f"another process uses {name}; retry later"
            raise Busy(msg) from error
        yield


@contextlib.contextmanager
def _in_postgres(engine: Engine, key: int, wait: float | None, *, shared: bool) -> Iterator[None]:
    suffix = "_shared" if shared else ""
    with engine.connect() as connection:
        connection.execute(text(_FROZEN))
        ask = text(f"SELECT pg_try_advisory_xact_lock{suffix}(:key)")
        until = None if wait is None else time.monotonic() + wait
        while not connection.execute(ask, {"key": key}).scalar():
            if until is not None and time.monotonic() >= until:
                raise BlockingIOError
            time.sleep(_POLL)
        with _asking(connection):
            yield


@contextlib.contextmanager
def _asking(connection: Connection) -> Iterator[None]:
    """Let the server see that the holder of a lock lives, until the end of the block.

    Raises:
        WarehouseError: the lock was lost meanwhile, although nothing else went wrong.
    """
    enough, lost = threading.Event(), list[DBAPIError | Unreachable]()

    def ask() -> None:
        while not enough.wait(_ASKED) and not lost:
            try:
                connection.execute(text("SELECT 1"))
            except (DBAPIError, Unreachable) as error:
                lost.append(error)

    thread = threading.Thread(target=ask, name="leat-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
    if lost:
        reason = lost[0].__cause__ or lost[0]
        msg = f"the control store has ended the transaction with a lock: {reason}. Next: run the command again"
        raise WarehouseError(msg)
