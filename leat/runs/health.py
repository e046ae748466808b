"""Whether a project can do its work: the control store answers, and when readers got what they see."""

from __future__ import annotations

from datetime import datetime

from leat.pipelines.load import state
from leat.runs.workspace import Workspace
from leat.warehouse.session import NothingPublished, WarehouseError


def store_answers(workspace: Workspace) -> str | None:
    """Return why the control store can't be used; None when it can."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with workspace.store.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, WarehouseError) as error:
        return f"the control store doesn't answer: {type(error).__name__}"
    return None


def unsealed_seconds(workspace: Workspace) -> float:
    """Return the age of the oldest event of the audit log that isn't sealed; above 60, nothing seals."""
    from leat.security.audit.chain import unsealed_since

    return unsealed_since(workspace.store)[1].total_seconds()


def published_at(workspace: Workspace) -> datetime | None:
    """Return when the newest load that readers see was applied, UTC; None before the first."""
    try:
        with workspace.warehouse.published() as session:
            if not session.columns(state.SCHEMA, "loads"):
                return None
            ((at,),) = session.execute("SELECT max(applied_at) FROM leat.loads")
            return at if isinstance(at, datetime) else None
    except NothingPublished:
        return None
