"""What goes wrong with one check or rule in an open transaction stays with it.

Postgres has savepoints. DuckDB has none: some errors end its transaction, which then has to be repeated without the
check or rule that failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from leat.warehouse.savepoint import savepoint
from leat.warehouse.session import Session


class TransactionLost(Exception):
    """A query failed so that DuckDB gave up the whole transaction; nothing of it can be saved.

    Attributes:
        why: what DuckDB said.
        subject: whose query it was: the name of a rule, or the table that was checked; empty when nobody can say.
    """

    def __init__(self, why: str, subject: str = "") -> None:
        super().__init__(f"{subject}: {why}" if subject else why)
        self.why = why
        self.subject = subject


class RuleError(Exception):
    """A rule can't be run; the text says why, and has no values of rows."""


@contextlib.contextmanager
def guarded(session: Session, subject: str, failed: Callable[[str], None], *, writes: bool = False) -> Iterator[None]:
    """Let nothing that goes wrong in the block out of it: what was written is undone, and why is passed on.

    Args:
        session: an open transaction.
        subject: whose block it is.
        failed: called with why it failed, without values of rows.
        writes: whether the block changes anything but temporary tables.

    Raises:
        TransactionLost: on DuckDB, where nothing can be undone, the block writes or DuckDB gave the transaction up; it
            has to be repeated without the subject.
    """
    with savepoint(session, "leat_guarded") as before:
        try:
            yield
        except TransactionLost as lost:
            raise TransactionLost(lost.why, lost.subject or subject) from lost
        except Exception as error:
            if not before.undo(wrote=writes):
                raise TransactionLost(_why(session, error), subject) from error
            failed(_why(session, error))


def _why(session: Session, error: Exception) -> str:
    said = session.dialect.error_text(error)
    if said is not None:
        return said
    if isinstance(error, RuleError):
        return str(error)
    if isinstance(error, ValueError | OverflowError | TypeError):  # its text may quote the value
        return f"a value that it gives can't be read ({type(error).__name__}); CAST the column to VARCHAR"
    return f"an error of the kind {type(error).__name__}"
