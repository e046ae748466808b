"""Opens the writing transactions of a warehouse where several write at once; see docs/operations.md for the locks.

Leat's own tables are made, and changed by another version of leat, in a transaction that is alone: others that write to
them would be in its way.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.warehouse.lease import Lease
from leat.warehouse.session import Session, Warehouse

_DERIVED = (ANALYTICS, "catalog")


def writing(warehouse: Warehouse, schema: str, lease: Lease | None = None) -> AbstractContextManager[Session]:
    """Open a transaction that writes one schema, and the rows about it of leat's own tables; others write others.

    Args:
        warehouse: the warehouse.
        schema: an integration, or what else writes under a name of its own.
        lease: the right to run the integration; None for what needs none.

    Raises:
        Busy: another process has been writing for too long.
        Fenced: another process has taken over.
        Overlapped: another transaction was in the way.
    """
    return warehouse.transaction(*((schema,) if _has_tables(warehouse) else ()), lease=lease)


def refreshing(warehouse: Warehouse) -> AbstractContextManager[Session]:
    """Open a transaction that writes models, the catalog and the ledger, and sees all schemas at one moment.

    Raises:
        Busy: another process has been writing for too long.
        Overlapped: another transaction was in the way.
    """
    return warehouse.transaction(*_DERIVED, one_moment=True) if _has_tables(warehouse) else warehouse.transaction()


def _has_tables(warehouse: Warehouse) -> bool:
    """Return whether leat's own tables are as this version of leat has them; always where there is one writer."""
    if not warehouse.dialect.writers_at_once:
        return True
    with warehouse.snapshot() as session:
        return state.is_complete(session)
