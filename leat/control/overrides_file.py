"""Read the overrides of a control store that is a SQLite file, without SQLAlchemy, network or a migration.

SQLAlchemy takes longer to import than most commands run; and Dagster's definitions are loaded often and must load
anywhere, so that a control store on Postgres is only asked when a run needs it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from leat.warehouse.session import WarehouseError

_PREFIX = "sqlite:///"
_QUERY = "SELECT i.name, c.key, c.value FROM integration_config c JOIN integration i ON i.id = c.integration_id"
_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'integration_config'"


def is_file(url: str) -> bool:
    """Return whether the URL of a control store is plainly that of a SQLite file, which needn't exist yet.

    One with parameters, such as an encrypted file, is opened by SQLAlchemy alone.
    """
    return url.startswith(_PREFIX) and "?" not in url


def overrides_in_file(url: str) -> dict[str, dict[str, str]]:
    """Return what :func:`leat.control.store.overrides` does; nothing for a store on Postgres, or before the first run.

    Args:
        url: the URL of the control store.

    Raises:
        WarehouseError: the file can't be read.
    """
    path = Path(url.removeprefix(_PREFIX))
    result: dict[str, dict[str, str]] = {}
    if not is_file(url) or not path.is_file():
        return result
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
            if connection.execute(_TABLE).fetchone():
                for integration, key, value in connection.execute(_QUERY):
                    result.setdefault(integration, {})[key] = value
    except sqlite3.Error as error:
        msg = f"the control store can't be read: {error}; check LEAT_CONTROL and the rights of {path}"
        raise WarehouseError(msg) from error
    return result
