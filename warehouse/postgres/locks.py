"""Which transactions of a Postgres warehouse exclude each other; all locks end with their transaction.

::

                                       whole warehouse   one moment   schema
    writes any schema                  alone             taken        -
    writes what is derived from all    shared            taken        -
    writes some schemas                shared            -            taken, by name

"One moment" is taken first, then the others from the left to the right, so that no two wait for each other. An earlier
leat takes the first one alone for whatever it writes, and so works next to this one.

"One moment" is the lock on a table and not a number: a transaction that sees one moment of the whole warehouse would
have its moment before it got a lock by number, and would miss what was committed while it waited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leat.warehouse.locks import advisory_key

if TYPE_CHECKING:
    import sqlalchemy

SCHEMA = "leat_locks"
LEASES = f"{SCHEMA}.leases"
_MOMENT = f"{SCHEMA}.moment"
_THERE = f"SELECT to_regclass('{LEASES}') IS NOT NULL AND to_regclass('{_MOMENT}') IS NOT NULL"
_MADE = f"""SELECT pg_advisory_xact_lock({advisory_key("migration", "locks")});
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {_MOMENT} ();
CREATE TABLE IF NOT EXISTS {LEASES} (
    name text PRIMARY KEY, fence bigint NOT NULL, holder text NOT NULL, expires_at timestamptz);
COMMENT ON TABLE {_MOMENT} IS 'Locked by whoever writes what is derived from all schemas.';
COMMENT ON TABLE {LEASES} IS 'The right to run an integration, its fence, who has it and until when.'"""


def make_tables(connection: sqlalchemy.Connection) -> None:
    """Make the tables that are locked, where they are missing, in a transaction that ends here."""
    if not connection.exec_driver_sql(_THERE).scalar():
        connection.exec_driver_sql(_MADE)
    connection.commit()


def take_locks(connection: sqlalchemy.Connection, schemas: Sequence[str], *, one_moment: bool) -> None:
    """Take the locks of a transaction that has just begun.

    Args:
        connection: the connection.
        schemas: what it writes; none for any.
        one_moment: whether it writes what is derived from all schemas.
    """
    if one_moment or not schemas:
        connection.exec_driver_sql(f"LOCK TABLE {_MOMENT} IN EXCLUSIVE MODE")
    shared = "_shared" if schemas else ""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({advisory_key('writer')})")
    for name in () if one_moment else sorted(schemas):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({advisory_key('schema', name)})")


def fence_key(schema: str, fence: int) -> int:
    """Return the number of the lock by which others see who works for a lease."""
    return advisory_key("fence", f"{schema} {fence}")


def show_fence(connection: sqlalchemy.Connection, schema: str, fence: int) -> None:
    """Let others see, as a lock that nobody waits for, which process of the server works for a lease."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({fence_key(schema, fence)})")


def end_transactions(connection: sqlalchemy.Connection, schema: str, fence: int) -> None:
    """End the transactions that work for a lease which has run out: their process is frozen, cut off or dead."""
    key = fence_key(schema, fence) & (2**64 - 1)
    connection.exec_driver_sql(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid() "
        f"AND classid::bigint = {key >> 32} AND objid::bigint = {key & 0xFFFFFFFF}"
    )
