"""Which warehouse a project has: files in its state folder, of DuckDB or of DuckLake, or the Postgres of a URL."""

from __future__ import annotations

from pathlib import Path

from leat.warehouse.duckdb.encryption import PLAIN, FileEncryption
from leat.warehouse.duckdb.warehouse import DuckDBWarehouse
from leat.warehouse.session import Warehouse, WarehouseError
from leat.warehouse.url import check_postgres_url, is_ducklake, is_shared_lake, read_lake_url, retained

FOLDERS = ("writer", "lake")
"""What embedded warehouses write in the state folder."""


def may_be_there(url: str | None, state: Path) -> bool:
    """Return whether there may be a warehouse: files were written, or a server has it."""
    if url is not None and (is_shared_lake(url) or not is_ducklake(url)):
        return True
    return any((state / folder).exists() for folder in FOLDERS)


def warehouse_files(state: Path) -> list[Path]:
    """Return the files and folders that an embedded warehouse has in the state folder, without those of roles."""
    return [state / name for name in (*FOLDERS, "warehouse.duckdb", "lake.sqlite")]


def open_warehouse(url: str | None, state: Path, encryption: FileEncryption = PLAIN) -> Warehouse:
    """Return the warehouse; nothing is opened before it is used.

    Args:
        url: ``LEAT_WAREHOUSE``: of a Postgres, or of a lake, ``ducklake``; None for DuckDB.
        state: the project's state folder.
        encryption: of DuckDB's files. Postgres' are the server's affair.

    Raises:
        WarehouseError: the URL is none of these, or the files of a lake are to be encrypted.
    """
    if url is None:
        return DuckDBWarehouse(state, form=encryption)
    if is_ducklake(url):
        if encryption.wanted:
            msg = (
                "a DuckLake warehouse has no encrypted files. Next: unset LEAT_WAREHOUSE_ENCRYPTION, encrypt the disk "
                "or single columns by `encrypt:`; or unset LEAT_WAREHOUSE, for DuckDB"
            )
            raise WarehouseError(msg)
        return _open_lake(url, state)
    from leat.warehouse.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(check_postgres_url(url, "LEAT_WAREHOUSE"))


def _open_lake(url: str, state: Path) -> Warehouse:
    if is_shared_lake(url):
        from leat.warehouse.ducklake.attach import SharedCatalog
        from leat.warehouse.ducklake.shared import SharedLake

        return SharedLake(state, SharedCatalog(*read_lake_url(url, "LEAT_WAREHOUSE")))
    from leat.warehouse.ducklake.catalog import LakeCatalog

    return DuckDBWarehouse(state, form=LakeCatalog(state, retained(url)))
