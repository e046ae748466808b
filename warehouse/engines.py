"""The engines that a warehouse may be on, for what concerns all of them."""

from __future__ import annotations

from leat.warehouse.dialect import Dialect
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.postgres.dialect import POSTGRES

DIALECTS: tuple[Dialect, ...] = (DUCKDB, POSTGRES)


def is_of_an_engine(error: BaseException) -> bool:
    """Return whether an error is an engine's own, whose text has no values of rows once a session has raised it."""
    return any(dialect.error_text(error) is not None for dialect in DIALECTS)
