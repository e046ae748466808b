"""What a database says of an error, without what is in the rows: it reaches logs, alerts and the control store.

Postgres puts rows into DETAIL and CONTEXT, and both engines quote the value that they couldn't take. What is left is
the class of the error and its first message, in which values are dots.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy

_QUOTED = re.compile(
    "[\"'`\u00ab\u00bb\u2018-\u201f\u300c\u300e].*[\"'`\u00ab\u00bb\u2018-\u201f\u300d\u300f]", re.DOTALL
)
"""A value between the quotation marks of any language that Postgres speaks."""
_NUMBER = re.compile(r"(?<![A-Za-z_0-9])[-+]?\d[\w.+-]*")
_NAMES = ("Catalog Error", "Binder Error", "Parser Error", "IO Error", "Permission Error", "Out of Memory Error",
          "Dependency Error", "Not implemented Error")  # fmt: skip
"""Errors of DuckDB that are about a statement or the disk, and name tables and files but no values."""
_WORDED = re.compile(
    r"(?:Could not|Can't|Cannot|Failed to|Type \w+ with value|Malformed|Invalid|Mismatch|Overflow|Error in)"
)
"""How errors about input begin that DuckDB words itself."""
_OF_THE_PAST = re.compile(r"\w+\.\w+ has history from [0-9 :.+-]{8,40} on|leat\.loads has no load \w{0,40}")
"""What the functions of a table's past say: a time or a load of leat's own, and no value of a row."""
_DATA = "22"
"""The class of SQLSTATE for data that doesn't fit."""


def without_values(error: Exception) -> str:
    """Return what a database says of an error first, in one line and without values of rows."""
    if not hasattr(error, "diag"):
        return _of_duckdb(str(error))
    primary, state = error.diag.message_primary, getattr(error, "pgcode", None)
    if primary is None:  # of the connection, or already without values
        return " ".join(str(error).split())
    first = primary.strip().split("\n", maxsplit=1)[0]
    return _dotted(first) if state and state.startswith(_DATA) else first


def _of_duckdb(text: str) -> str:
    first = text.strip().split("\n", maxsplit=1)[0]
    kind, _, what = first.partition(": ")
    if kind in _NAMES:
        return first
    if _OF_THE_PAST.fullmatch(what):
        return first
    if kind == "Invalid Input Error" and not _WORDED.match(what):  # whatever a query gave to error()
        return f"{kind}: …"
    return _dotted(first)


def _dotted(text: str) -> str:
    return _NUMBER.sub("…", _QUOTED.sub("…", text))


@contextlib.contextmanager
def values_removed() -> Iterator[None]:
    """Let errors of a database out of the block with the same class, but without values of rows, also in tracebacks."""
    try:
        yield
    except Exception as error:
        if not is_of_a_database(error):
            raise
        raise type(error)(without_values(error)) from None


def remove_values(engine: sqlalchemy.Engine) -> None:
    """Let SQLAlchemy's errors of an engine have no values of rows either."""
    import sqlalchemy

    sqlalchemy.event.listen(engine, "handle_error", _remove_values)


def _remove_values(context: Any) -> None:
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    if wrapped is not None and is_of_a_database(error):
        text = without_values(error)
        wrapped.orig, wrapped.args, wrapped.hide_parameters = (
            type(error)(text),
            (f"({type(error).__name__}) {text}",),
            True,
        )


def is_of_a_database(error: BaseException) -> bool:
    """Return whether an error is a database's own, whose text has no values of rows where a warehouse let it out."""
    return type(error).__module__.split(".")[0].strip("_") in ("duckdb", "psycopg2")
