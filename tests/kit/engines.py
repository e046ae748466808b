"""The engines that tests run on: DuckDB and Postgres, or those that ``LEAT_TEST_ENGINES`` names (``make nightly``)."""

from __future__ import annotations

import os
from pathlib import Path

ENGINES = tuple(os.environ.get("LEAT_TEST_ENGINES", "duckdb,postgres").split(","))
EMBEDDED = {"duckdb": None, "ducklake": "ducklake"}
"""``LEAT_WAREHOUSE`` of the engines that need no server."""
EMBEDDED_URL = next((EMBEDDED[engine] for engine in ENGINES if engine in EMBEDDED), None)
"""The same of the one that a suite which always runs on two engines takes, next to Postgres."""


def shared_lake(catalog: str, data: Path | str) -> str:
    """Return the URL of a lake whose catalog is in a Postgres database, and whose files are somewhere."""
    return f"ducklake:{catalog}?data={data}"


def catalog_of(url: str) -> str:
    """Return the URL of the database that has the catalog of a lake."""
    return url.removeprefix("ducklake:").partition("?")[0]


def is_server(url: str | None) -> bool:
    """Return whether a warehouse is on a server, where readers see each commit; else a publication shows it to them."""
    return url is not None and url != "ducklake"
