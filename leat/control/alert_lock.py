"""The right to send alerts, which one process at a time has: a lock beside the control store, or in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text

from leat.warehouse.locks import advisory_key, file_lock
from leat.warehouse.session import Busy

_LOCK = advisory_key("alerts")
_SENDING = "alerts are being sent by another process; they go out with its pass or the next"


@contextlib.contextmanager
def sole_sender(engine: Engine, wait: float = 60) -> Iterator[None]:
    """Hold the right to send alerts, across all processes that use the store.

    Raises:
        Busy: another process has been sending for longer than ``wait`` seconds.
    """
    if engine.dialect.name == "sqlite":
        with file_lock(Path(f"{engine.url.database}.alerts.lock"), wait, "sending alerts"):
            yield
        return
    deadline = time.monotonic() + wait
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
            if time.monotonic() >= deadline:
                raise Busy(_SENDING)
            time.sleep(0.1)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
