"""Imports what a run needs, for a process that runs often: the first run would take four times as long as the next."""

from __future__ import annotations

import importlib

_LIBRARIES = ("requests", "dlt", "duckdb", "pyarrow.parquet", "sqlglot", "leat.assets.build", "leat.quality.rules")


def import_libraries() -> None:
    """Import them."""
    from leat.quality.expectations import import_expectations

    for name in _LIBRARIES:
        importlib.import_module(name)
    import_expectations()
