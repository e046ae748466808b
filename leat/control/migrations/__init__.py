"""Bring a control store to the newest schema; the revisions are in ``versions``, applied by Alembic.

Importing Alembic takes as long as a small run, so that it is imported only when an older store has to be changed.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from leat.warehouse.locks import advisory_key
from leat.warehouse.session import WarehouseError

HEAD = "0020"
"""The newest revision; a test compares it with ``versions``."""

_LOCK = advisory_key("migration")


def is_current(connection: Connection) -> bool:
    """Return whether the store has the newest schema.

    Raises:
        WarehouseError: it was made by a newer leat.
    """
    revision = _revision(connection)
    if revision is not None and revision > HEAD:
        msg = f"the control store has schema {revision}, this leat knows {HEAD}: install the newer leat that made it"
        raise WarehouseError(msg)
    return revision == HEAD


def migrate(connection: Connection) -> None:
    """Bring a store to the newest schema in the connection's transaction, which has to hold SQLite's write lock.

    Another process that does the same at the same time waits, then finds nothing to do.

    Raises:
        WarehouseError: it was made by a newer leat.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if is_current(connection):
        return
    if not _has_revisions(connection):
        from leat.control.new_store import create_newest

        create_newest(connection, HEAD)
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not _has_revisions(connection):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def _has_revisions(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")
