"""What Postgres says of an error, without values of rows: its primary message.

Postgres puts rows into DETAIL and CONTEXT, and quotes the value that it couldn't take.
"""

from __future__ import annotations

import sys

from leat.warehouse.error_text import dot_values

_DATA = "22"
"""The class of SQLSTATE for data that doesn't fit."""


def error_text(error: BaseException) -> str | None:
    """Return what Postgres says of an error; None for an error that isn't the driver's."""
    driver = sys.modules.get("psycopg2")  # none has raised an error before it was imported
    if driver is None or not isinstance(error, driver.Error):
        return None
    primary, state = error.diag.message_primary, error.pgcode
    if primary is None:  # of the connection, or already without values
        return " ".join(str(error).split())
    first = primary.strip().split("\n", maxsplit=1)[0]
    return dot_values(first) if state and state.startswith(_DATA) else first
