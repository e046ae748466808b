"""Imports what a run needs, for a process that runs often: the first run would take four times as long as the next."""

from __future__ import annotations

import importlib

_LIBRARIES = ("requests", "duckdb", "pyarrow.parquet", "sqlglot", "leat.assets.build", "leat.quality.audit",
              "leat.quality.rules")  # fmt: skip


def import_libraries() -> None:
    """Import them."""
    for name in _LIBRARIES:
        importlib.import_module(name)
