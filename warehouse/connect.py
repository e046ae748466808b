"""Which warehouse a project has: DuckDB in its state folder, or the Postgres that ``LEAT_WAREHOUSE`` names."""

from __future__ import annotations

from pathlib import Path

from leat.warehouse.duckdb.encryption import PLAIN, FileEncryption
from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
from leat.warehouse.session import Warehouse
from leat.warehouse.url import check_postgres_url


def open_warehouse(url: str | None, state: Path, encryption: FileEncryption = PLAIN) -> Warehouse:
    """Return the warehouse; nothing is opened before it is used.

    Args:
        url: of a Postgres; None for DuckDB.
        state: the project's state folder.
        encryption: of DuckDB's files. Postgres' are the server's affair.

    Raises:
        WarehouseError: the URL isn't that of a Postgres.
    """
    if url is None:
        return DuckDBWarehouse(state, encryption=encryption)
    from leat.warehouse.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(check_postgres_url(url, "LEAT_WAREHOUSE"))
