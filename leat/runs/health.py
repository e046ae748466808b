"""Whether a project can do its work: the control store answers, and when readers got what they see."""

from __future__ import annotations

import socket
import time
from datetime import datetime

from leat.pipelines.load import state
from leat.runs.workspace import Workspace
from leat.warehouse.session import NothingPublished, Unreachable, WarehouseError

_PASSES = ("53", "57P", "08006")
"""SQLSTATEs of a server that has too few resources, or that is starting or ending."""
_AGAIN = 0.5


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


def store_away(workspace: Workspace) -> str | None:
    """Return why the control store doesn't answer now although it may later; None when it answers.

    Raises:
        WarehouseError: it can't be used, and waiting changes nothing.
        SQLAlchemyError: likewise.
    """
    from sqlalchemy import text

    tries = 3
    while True:
        try:
            with workspace.store.connect() as connection:
                connection.execute(text("SELECT 1"))
        except Unreachable as error:
            tries -= 1
            if _may_answer(workspace.project.control_url):
                return str(error)
            if not tries:
                raise
            time.sleep(_AGAIN)  # it may have begun to take connections since
        else:
            return None


def _may_answer(url: str) -> bool:
    """Return whether a Postgres that couldn't be connected to is away, starting or ending, or has no place left."""
    from sqlalchemy import make_url

    from leat.first_answer import read_first_answer

    try:
        return read_first_answer(make_url(url)).startswith(_PASSES)
    except socket.gaierror as error:
        return error.errno != socket.EAI_NONAME
    except OSError:
        return True


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
