"""Acknowledge violations: somebody looks after them, and no alerts about them are sent until a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leat.pipelines.load.verdict import may_be_published
from leat.pipelines.load.writing import refreshing
from leat.runs.workspace import Workspace
from leat.warehouse.publication import is_published, publish_version


def current_user() -> str:
    """Return who acknowledges."""
    from leat.control.store import user_name

    return user_name()


def acknowledge(workspace: Workspace, keys: Sequence[str], by: str | None, until: datetime | None, note: str) -> None:
    """Acknowledge violations, and let readers see that; with None, take their acknowledgements back.

    Where a check withholds the newest version, readers see the acknowledgement together with that version.

    Raises:
        Busy: another process writes the warehouse.
    """
    from leat.quality import ledger

    published = is_published(workspace.warehouse)
    with refreshing(workspace.warehouse) as session:
        ledger.acknowledge(session, keys, by, until, note)
    if published:
        publish_version(workspace.warehouse, may_be_published)
