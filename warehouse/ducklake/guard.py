"""What makes a commit of a shared lake count only while its locks are held: the fence of DuckLake's own transaction.

DuckLake commits on connections of its own, so the locks are held by another one, the guard. Each commit names its
guard, and a trigger of the catalog refuses it once that is gone: a process that was frozen until somebody took its
place, or whose connection broke, commits nothing. A commit that has passed the trigger is waited for by whoever gets
the locks next (:func:`wait_for_commits`); if its process is frozen there, the server ends it after a minute, or at once
when the lease is taken over.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from leat.warehouse.lease import Lease
from leat.warehouse.locks import advisory_key
from leat.warehouse.postgres.locks import SCHEMA, fence_key, make_tables
from leat.warehouse.session import Overlapped, Session, Unreachable, WarehouseError
from leat.warehouse.url import shown_url

if TYPE_CHECKING:
    from leat.warehouse.postgres.warehouse import PostgresWarehouse

_BEATS = 4
"""So often the guard says something before the server would end its transaction because of its silence."""
_COMMITS = advisory_key("writer", "commit of a lake")
_LOST = "leat: the locks are lost"
_INSTALLED = "SELECT count(*) FROM pg_trigger WHERE tgname = 'leat_guard'"
TIDIED = f"{SCHEMA}.tidied"
_INSTALL = f"""
CREATE TABLE IF NOT EXISTS {TIDIED} (at timestamptz NOT NULL);
INSERT INTO {TIDIED} SELECT now() WHERE NOT EXISTS (SELECT FROM {TIDIED});
CREATE OR REPLACE FUNCTION {SCHEMA}.guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF split_part(NEW.commit_extra_info, ' ', 1) = 'leat' THEN
        PERFORM set_config('idle_in_transaction_session_timeout', '60000', true);
        PERFORM pg_advisory_xact_lock_shared({_COMMITS});
        PERFORM pg_advisory_xact_lock_shared(split_part(NEW.commit_extra_info, ' ', 3)::bigint);
        IF pg_try_advisory_xact_lock(split_part(NEW.commit_extra_info, ' ', 2)::bigint) THEN
            RAISE EXCEPTION '{_LOST}';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER leat_guard BEFORE INSERT ON ducklake_snapshot_changes
    FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.guard();
"""
_CONFLICTS = re.compile(r"conflict|retry count|serializ|deadlock|duplicate key", re.IGNORECASE)
_UNREACHABLE = re.compile(r"connect|terminat|server closed|SSL|timed? ?out|HTTP|curl", re.IGNORECASE)


def install(server: PostgresWarehouse, open_lake: Callable[[], None]) -> None:
    """Open the lake, which makes its catalog, and let the trigger look at its commits; one process at a time does."""
    with server.connected() as connection:
        make_tables(connection)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({advisory_key('migration', 'lake')})")
        open_lake()
        if not connection.exec_driver_sql(_INSTALLED).scalar():
            connection.exec_driver_sql(_INSTALL)
        connection.commit()


def wait_for_commits(server: PostgresWarehouse) -> None:
    """Wait for commits whose locks were lost after the trigger had let them pass; one takes milliseconds."""
    with server.snapshot() as session:
        session.execute(f"SELECT pg_advisory_xact_lock({_COMMITS})")


class Guard:
    """The transaction that holds the locks, which isn't silent as long as this process works.

    Args:
        locks: the transaction.
        lease: the right by which is written.
        silence: seconds after which the server ends a transaction whose process says nothing.
    """

    def __init__(self, locks: Session, lease: Lease | None, silence: float) -> None:
        token = secrets.randbits(62)
        locks.execute(f"SELECT pg_advisory_xact_lock({token})")
        fence = 0 if lease is None else fence_key(lease.name, lease.fence)
        self.mark = f"leat {token} {fence}"
        self._locks = locks
        self._pause = silence / _BEATS
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="leat-guard", daemon=True)

    def __enter__(self) -> Guard:
        self._beating.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._beating.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._pause):
            try:
                self._locks.execute("SELECT 1")
            except Exception:  # the connection is gone, and the trigger will refuse the commit
                return

    def failed(self, error: Exception) -> Exception:
        """Return what the failure of a commit means; the text of DuckLake's error has rows."""
        text = str(error)
        if _LOST in text:
            return _LostLocks()
        if _CONFLICTS.search(text):
            return Overlapped("another transaction of the lake was in the way; retry")
        return error


class _LostLocks(Exception):
    """The guard is gone."""


@contextlib.contextmanager
def explain(server: PostgresWarehouse, lease: Lease | None) -> Iterator[None]:
    """Turn what DuckDB says of the catalog's server and of the store into errors that say what to do.

    Raises:
        Fenced: another process has taken over.
        Unreachable: the server or the store doesn't answer.
    """
    import duckdb

    shown = shown_url(server.url)
    try:
        yield
    except _LostLocks:
        if lease is not None:
            with server.connected() as connection:
                server.leases.check(connection, lease)
        msg = f"{shown}: the connection that held the locks is gone. Next: run it again; nothing is half-applied"
        raise Unreachable(msg) from None
    except (duckdb.IOException, duckdb.HTTPException) as error:
        first = str(error).split("\n", maxsplit=1)[0]
        msg = f"{shown}: {first}. Next: check the catalog's server and the store of its files, then run it again"
        raise Unreachable(msg) from None
    except duckdb.TransactionException as error:
        if _UNREACHABLE.search(str(error)):
            msg = f"{shown}: the catalog's server or the store has failed. Next: check both, then run it again"
            raise Unreachable(msg) from None
        msg = f"{shown}: the catalog didn't take the commit. Next: check its server's log, then run it again"
        raise WarehouseError(msg) from None
