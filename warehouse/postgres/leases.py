"""The right to run an integration, as a row of the warehouse that expires: the thread that renews it stops with it.

The row is in the warehouse and not in the control store, for the transaction that applies a load has to check it. That
transaction shares the row's key, so that the row can be renewed meanwhile, but nobody can take over before it ends.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leat.warehouse.holder import has_ended, this_process
from leat.warehouse.lease import Lease
from leat.warehouse.postgres.locks import LEASES, end_transactions, make_tables, show_fence
from leat.warehouse.session import Busy, WarehouseError

if TYPE_CHECKING:
    import sqlalchemy

_POLL = 0.05
_RENEWALS = 4
"""So often a lease is renewed before it would run out."""
_ADDED = f"INSERT INTO {LEASES} (name, fence, holder) VALUES (:name, 0, '') ON CONFLICT DO NOTHING"
_READ = f"SELECT fence, holder, expires_at > clock_timestamp() FROM {LEASES} WHERE name = :name"
_LOCKED = f"{_READ} FOR UPDATE NOWAIT"
_TAKEN = f"""UPDATE {LEASES} SET fence = fence + 1, holder = :holder,
expires_at = clock_timestamp() + make_interval(secs => :lasts) WHERE name = :name RETURNING fence"""
_RENEWED = f"""UPDATE {LEASES} SET expires_at = clock_timestamp() + make_interval(secs => :lasts)
WHERE name = :name AND fence = :fence AND expires_at IS NOT NULL"""
_RETURNED = f"UPDATE {LEASES} SET expires_at = NULL WHERE name = :name AND fence = :fence"
_CHECKED = f"SELECT fence FROM {LEASES} WHERE name = :name FOR KEY SHARE"

_working: set[str] = set()
"""The leases of this process that somebody works by; others of its leases couldn't be given back."""


@dataclass(slots=True)
class Leases:
    """The leases that a process holds in a warehouse.

    Args:
        connected: opens a connection.
        lasts: seconds for which a lease lasts, unless it is renewed.
        wait: seconds to wait for who has one.
    """

    connected: Callable[[], AbstractContextManager[sqlalchemy.Connection]]
    lasts: float = 30.0
    wait: float = 3.0
    _held: dict[tuple[str, int], Lease] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _renewer: threading.Thread | None = None

    @contextlib.contextmanager
    def hold(self, name: str, wait: float | None = None) -> Iterator[Lease]:
        """Hold the right to run an integration, renewed while this process works.

        Args:
            name: the integration.
            wait: seconds to wait for who has it; None for :attr:`wait`.

        Raises:
            Busy: another process has it.
            Fenced: it was taken over meanwhile, whatever else went wrong.
        """
        holder = f"{this_process()} {secrets.token_hex(8)}"
        _working.add(holder)
        try:
            lease = Lease(name, self._wait_for(name, holder, self.wait if wait is None else wait))
            self._renew_from_now_on(lease)
            try:
                yield lease
            except BaseException as error:
                newest = True
                with contextlib.suppress(WarehouseError, Busy):  # then it runs out by itself
                    newest = self._give_back(lease)
                if not newest and isinstance(error, Exception):  # its transaction was ended, which looks transient
                    raise lease.fenced() from error
                raise
            if not self._give_back(lease):
                raise lease.fenced()
        finally:
            _working.discard(holder)

    def _wait_for(self, name: str, holder: str, wait: float) -> int:
        deadline = time.monotonic() + wait
        while (fence := self._take(name, holder)) is None:
            if time.monotonic() > deadline:
                msg = f"integration {name} is locked by another process; retry later"
                raise Busy(msg)
            time.sleep(_POLL)
        return fence

    def _give_back(self, lease: Lease) -> bool:
        """Give a lease back; returns whether it still was the newest."""
        with self._lock:
            self._held.pop((lease.name, lease.fence), None)
        return self._change(_RETURNED, lease)

    def check(self, connection: sqlalchemy.Connection, lease: Lease) -> None:
        """Make sure that nobody takes over until the open transaction ends.

        Raises:
            Fenced: somebody has.
        """
        import sqlalchemy

        show_fence(connection, lease.name, lease.fence)
        if connection.execute(sqlalchemy.text(_CHECKED), {"name": lease.name}).scalar() != lease.fence:
            lease.lose()
            raise lease.fenced()

    def look(self, name: str) -> tuple[int, bool]:
        """Return the newest fence of an integration, 0 for none, and whether its lease ran out in somebody's hands."""
        import sqlalchemy

        with self.connected() as connection:
            make_tables(connection)
            row = connection.execute(sqlalchemy.text(_READ), {"name": name}).one_or_none()
            return (0, False) if row is None else (row[0], row[2] is False)

    def _take(self, name: str, holder: str) -> int | None:
        """Return the fence of a new lease; None while somebody has it."""
        import psycopg2
        import sqlalchemy

        text, values = sqlalchemy.text, {"name": name, "holder": holder, "lasts": self.lasts}
        with self.connected() as connection:
            rows = connection.execute(text(_READ), values).all()
            if rows and _is_held(*rows[0]):
                return None
            if not rows:
                connection.execute(text(_ADDED), values)
            elif rows[0][2] is not None:  # it wasn't given back: who had it may be frozen inside its apply
                end_transactions(connection, name, rows[0][0])
            connection.commit()
            try:
                if _is_held(*connection.execute(text(_LOCKED), values).one()):
                    return None
            except sqlalchemy.exc.OperationalError as error:
                if isinstance(error.orig, psycopg2.errors.LockNotAvailable):
                    return None
                raise
            fence: int = connection.execute(text(_TAKEN), values).scalar_one()
            connection.commit()
            return fence

    def _renew_from_now_on(self, lease: Lease) -> None:
        with self._lock:
            self._held[lease.name, lease.fence] = lease
            if self._renewer is None or not self._renewer.is_alive():
                self._renewer = threading.Thread(target=self._renew, name="leat-leases", daemon=True)
                self._renewer.start()

    def _renew(self) -> None:
        """Renew what is held, until nothing is."""
        while True:
            time.sleep(self.lasts / _RENEWALS)
            with self._lock:
                held = list(self._held.values())
                if not held:
                    self._renewer = None
                    return
            for lease in held:
                with contextlib.suppress(WarehouseError, Busy):  # the next time, or it runs out
                    if not lease.is_stalled() and not self._change(_RENEWED, lease):
                        lease.lose()

    def _change(self, sql: str, lease: Lease) -> bool:
        import sqlalchemy

        values = {"name": lease.name, "fence": lease.fence, "lasts": self.lasts}
        with self.connected() as connection:
            changed = connection.execute(sqlalchemy.text(sql), values).rowcount
            connection.commit()
        return changed == 1


def _is_held(_fence: int, holder: str, lasts: bool | None) -> bool:
    if not lasts:
        return False
    return holder in _working if holder.startswith(f"{this_process()} ") else not has_ended(holder)
