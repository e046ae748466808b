"""Which warehouse a project has: DuckDB in its state folder, or the Postgres that ``LEAT_WAREHOUSE`` names."""

from __future__ import annotations

from pathlib import Path

from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
from leat.warehouse.postgres.warehouse import PostgresWarehouse
from leat.warehouse.session import Warehouse
from leat.warehouse.url import check_postgres_url


def open_warehouse(url: str | None, state: Path) -> Warehouse:
    """Return the warehouse; nothing is opened before it is used.

    Raises:
        WarehouseError: the URL isn't that of a Postgres.
    """
    if url is None:
        return DuckDBWarehouse(state)
    return PostgresWarehouse(check_postgres_url(url, "LEAT_WAREHOUSE"))
