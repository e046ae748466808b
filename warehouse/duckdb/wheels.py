"""DuckDB's extensions from the wheels in which they are installed, never from the network.

DuckDB checks the signature of an extension each time a connection loads it: 0.14 seconds of processor time for 35 MB.
The check is off (:data:`UNCHECKED`). It would protect nothing here: the hash of the wheel is in ``uv.lock``, whoever
can change an installed file can change leat as well, and no query can load anything: external access is off by then.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from leat.warehouse.session import WarehouseError, literal

if TYPE_CHECKING:
    import duckdb

UNCHECKED: dict[str, str | bool | int | float | list[str]] = {"allow_unsigned_extensions": True}


def load_extension(connection: duckdb.DuckDBPyConnection, name: str, extra: str) -> None:
    """Load an extension from its wheel.

    Args:
        connection: where to.
        name: of the extension.
        extra: of leat, which installs the wheel.

    Raises:
        WarehouseError: the wheel isn't installed, or is damaged.
    """
    import duckdb

    path = extension_path(name, extra)
    try:
        connection.execute(f"LOAD {literal(str(path))}")
    except duckdb.Error as error:
        msg = f"DuckDB can't load {path}: {error}. Next: install the extra leat[{extra}] again"
        raise WarehouseError(msg) from error


def extension_path(name: str, extra: str) -> Path:
    """Return the file of an extension in its wheel, for the DuckDB that is installed.

    Raises:
        WarehouseError: it isn't installed.
    """
    import duckdb

    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    wheel = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
    msg = (
        f"such a warehouse needs the wheel {wheel}, which isn't installed. Next: install the extra, for example by "
        f"`uv pip install 'leat[{extra}]'`"
    )
    raise WarehouseError(msg)
