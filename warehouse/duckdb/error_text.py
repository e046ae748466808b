"""What DuckDB says of an error, without values of rows: the class of the error and its first line.

DuckDB quotes the value that it couldn't take. An error about a statement or the disk names tables and files, no values.
"""

from __future__ import annotations

import re
import sys

from leat.warehouse.error_text import dot_values

_NAMES = ("Catalog Error", "Binder Error", "Parser Error", "IO Error", "Permission Error", "Out of Memory Error",
          "Dependency Error", "Not implemented Error")  # fmt: skip
"""Errors that are about a statement or the disk."""
_WORDED = re.compile(
    r"(?:Could not|Can't|Cannot|Failed to|Type \w+ with value|Malformed|Invalid|Mismatch|Overflow|Error in)"
)
"""How errors about input begin that DuckDB words itself."""
_OF_THE_PAST = re.compile(r"\w+\.\w+ has history from [0-9 :.+-]{8,40} on|leat\.loads has no load \w{0,40}")
"""What the functions of a table's past say: a time or a load of leat's own, and no value of a row."""


def error_text(error: BaseException) -> str | None:
    """Return what DuckDB says of an error; None for an error that isn't DuckDB's."""
    driver = sys.modules.get("duckdb")  # none has raised an error before it was imported
    if driver is None or not isinstance(error, driver.Error):
        return None
    first = str(error).strip().split("\n", maxsplit=1)[0]
    kind, _, what = first.partition(": ")
    if kind in _NAMES or _OF_THE_PAST.fullmatch(what):
        return first
    if kind == "Invalid Input Error" and not _WORDED.match(what):  # whatever a query gave to error()
        return f"{kind}: …"
    return dot_values(first)
