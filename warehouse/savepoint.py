"""Undoing a part of a transaction, as far as the engine can."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from leat.warehouse.session import Session


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A moment of an open transaction."""

    session: Session
    name: str

    def undo(self, *, wrote: bool = False) -> bool:
        """Undo what was done since; returns False if the transaction has to be given up instead.

        DuckDB has no savepoints: there a transaction goes on only if nothing was written and the error didn't end it.

        Args:
            wrote: whether anything but temporary tables was written since.
        """
        if self.session.dialect.savepoints:
            self.session.execute(f"ROLLBACK TO SAVEPOINT {self.name}")
            return True
        return not wrote and self._goes_on()

    def _goes_on(self) -> bool:
        try:
            self.session.execute("SELECT 1")
        except Exception:  # whatever it is, it is the end of this transaction
            return False
        return True


@contextlib.contextmanager
def savepoint(session: Session, name: str) -> Iterator[Savepoint]:
    """Open a savepoint until the block ends; an error that leaves the block has to end the transaction."""
    if session.dialect.savepoints:
        session.execute(f"SAVEPOINT {name}")
    yield Savepoint(session, name)
    if session.dialect.savepoints:
        session.execute(f"RELEASE SAVEPOINT {name}")
