"""Queries that people save, for the dashboard."""

from __future__ import annotations

from leat.control import saved_queries as stored
from leat.control.saved_queries import SavedQuery, TooManyQueries
from leat.runs.workspace import Workspace
from leat.security.principal import Principal

__all__ = ["SavedQuery", "TooManyQueries"]


def save_query(workspace: Workspace, by: Principal, name: str, sql: str) -> SavedQuery:
    """Save a query, in the place of an earlier one of the same name.

    Raises:
        TooManyQueries: the person has as many as they may.
    """
    return stored.save_query(workspace.store, by.person, name, sql)


def saved_queries(workspace: Workspace, by: Principal) -> list[SavedQuery]:
    """Return somebody's queries by name."""
    return stored.saved_queries(workspace.store, by.person)


def saved_query(workspace: Workspace, query_id: str) -> SavedQuery | None:
    """Return a query by its id; None if there is none."""
    return stored.saved_query(workspace.store, query_id)


def delete_query(workspace: Workspace, query_id: str) -> None:
    """Delete a query."""
    stored.delete_query(workspace.store, query_id)
