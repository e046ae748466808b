"""Bring a control store to the newest schema; the revisions are in ``versions``, applied by Alembic.

A revision either *expands* or *contracts*. One that expands only adds what an earlier leat doesn't miss: tables,
indexes that aren't unique, columns that may be null or have a default in the database. Its id names the oldest revision
whose leat can go on with it: ``0042_from_0040``. One that contracts has a plain id, ``0043``, and an earlier leat
refuses its store. So two versions work on one store while one replaces the other: expand with the new version, and
contract with the one after it, when no process needs what is removed.

Importing Alembic takes as long as a small run, so that it is imported only when an older store has to be changed.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from leat.warehouse.locks import advisory_key
from leat.warehouse.session import WarehouseError

HEAD = "0033_from_0020"
"""The newest revision; a test compares it with ``versions``."""

_FROM = "_from_"
_LOCK = advisory_key("migration")


def is_current(connection: Connection) -> bool:
    """Return whether the store has the newest schema, or a newer one that this leat can go on with.

    Raises:
        WarehouseError: a newer leat has removed or changed what this one needs.
    """
    revision = read_revision(connection)
    if revision is None or revision <= HEAD:
        return revision == HEAD
    if oldest_leat(revision) > HEAD:
        msg = f"the control store has schema {revision}, this leat knows {HEAD}: install the newer leat that made it"
        raise WarehouseError(msg)
    return True


def oldest_leat(revision: str) -> str:
    """Return the revision of the oldest leat that can work with the schema of a revision: its own if it contracts."""
    number, _, oldest = revision.partition(_FROM)
    return oldest or number


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


def read_revision(connection: Connection) -> str | None:
    """Return the revision of a store; None if it is empty."""
    if not _has_revisions(connection):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def _has_revisions(connection: Connection) -> bool:
    return inspect(connection).has_table("alembic_version")
