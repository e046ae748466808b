"""Which warehouse a project has: DuckDB in its state folder, or the Postgres that ``LEAT_WAREHOUSE`` names."""

from __future__ import annotations

from pathlib import Path

from warehouse.duckdb_file import DuckDBWarehouse
from warehouse.postgres import PostgresWarehouse
from warehouse.session import Warehouse, WarehouseError


def open_warehouse(url: str | None, state: Path) -> Warehouse:
    """Return the warehouse; nothing is opened before it is used.

    Raises:
        WarehouseError: the URL is of no kind that leat knows.
    """
    if url is None:
        return DuckDBWarehouse(state)
    if url.split("+")[0].split(":")[0] in ("postgresql", "postgres"):
        return PostgresWarehouse(url.replace("postgres://", "postgresql://", 1))
    msg = f"LEAT_WAREHOUSE={url.split(':')[0]}:… is unknown; give postgresql://… or leave it unset for DuckDB"
    raise WarehouseError(msg)
