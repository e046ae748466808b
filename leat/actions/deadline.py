"""Ends this process when a lease runs out while something is being sent: what is frozen must not go on afterwards.

A process that is stopped and goes on later would send what another one has sent meanwhile. A timer of the kernel runs
on while a process is stopped, and its signal is delivered before the process executes anything else. As long as the
process is alive, a thread renews the lease, however long a request takes.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leat.control.action_lease import Lease, renew
from leat.warehouse.lease import Fenced
from leat.warehouse.session import Unreachable

log = logging.getLogger("leat.actions")

_leases: list[Lease] = []
_lock = threading.Lock()


@contextlib.contextmanager
def within_lease(store: Engine, lease: Lease, lasts: float) -> Iterator[None]:
    """Renew a lease as long as the block lasts, and end the process by SIGALRM if that doesn't succeed in time.

    A lease that doesn't run out, because a lock of this machine guards it, needs neither.

    Args:
        store: the control store.
        lease: the right to send.
        lasts: seconds that it lasts each time.

    Raises:
        Fenced: another process has taken over.
    """
    if lease.deadline == math.inf:
        yield
        return
    if lease.left() < lasts * 5 / 6:
        renew(store, lease, lasts)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(store, lease, lasts, over), name="leat-lease", daemon=True)
    with _lock:
        _leases.append(lease)
        _set_timer()
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with _lock:
            _leases.remove(lease)
            _set_timer()


def _renew(store: Engine, lease: Lease, lasts: float, over: threading.Event) -> None:
    while not over.wait(lasts / 3):
        try:
            renew(store, lease, lasts)
        except Fenced:
            lease.deadline = 0  # another process takes this one for dead, and it is about to be
        except (DBAPIError, Unreachable) as error:
            log.warning("the lease of %s can't be renewed: %s", lease.integration, type(error).__name__)
        with _lock:
            _set_timer()


def _set_timer() -> None:
    left = min((lease.deadline for lease in _leases), default=math.inf) - time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0 if left == math.inf else max(left, 0.001))
