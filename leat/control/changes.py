"""Whether a control store has changed since somebody looked, for less than a query costs.

SQLite counts the changes that other connections commit (https://sqlite.org/pragma.html#pragma_data_version), so a
connection that writes nothing sees all of them. Postgres has no such number: there a version lasts for a second, and
ends earlier when this process writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from leat.control.engine import last_write

SECONDS = 1.0
"""How long a change on Postgres may go unseen."""


@dataclass(slots=True)
class StoreChanges:
    """Looks at one control store.

    Attributes:
        engine: the store.
        clock: seconds.
    """

    engine: Engine
    clock: Callable[[], float] = time.monotonic
    _connection: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self) -> Hashable:
        """Return a value that is another one when the store has changed. Read it before what depends on it."""
        if self.engine.dialect.name != "sqlite":
            return int(self.clock() / SECONDS), last_write()
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            except self.engine.dialect.loaded_dbapi.Error:  # it is being recovered, for example
                self.close()
                return object()
        return int(version)

    def _opened(self) -> Any:
        """Return a connection of its own, which doesn't wait."""
        pooled = self.engine.raw_connection()
        pooled.detach()
        connection: Any = pooled.dbapi_connection
        connection.execute("PRAGMA busy_timeout = 0")
        return connection

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
