"""The engines that tests run on: DuckDB and Postgres, or those that ``LEAT_TEST_ENGINES`` names (``make nightly``)."""

from __future__ import annotations

import os

ENGINES = tuple(os.environ.get("LEAT_TEST_ENGINES", "duckdb,postgres").split(","))


def is_server(url: str | None) -> bool:
    """Return whether a warehouse is on a server, where readers see each commit; else a publication shows it to them."""
    return url is not None and url != "ducklake"
