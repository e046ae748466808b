"""Ctrl+C while DuckDB runs a statement: DuckDB wraps what the signal raises, so that it looks like its own error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@contextlib.contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let what a signal has raised out of the block as it is, for example KeyboardInterrupt.

    The statement is stopped: its threads would go on, and closing the connection would wait for them.
    """
    try:
        yield
    except RuntimeError as error:
        if error.__cause__ is None or isinstance(error.__cause__, Exception):
            raise
        connection.interrupt()
        raise error.__cause__ from None
