"""Which of several servers of one warehouse this is: each numbers the webhooks that it receives by it."""

from __future__ import annotations

import os
from pathlib import Path

from leat.hooks import tables
from leat.hooks.segments import FOLDER, first_of, last_number, segments
from leat.runs.workspace import Workspace
from leat.warehouse.session import WarehouseError

_SERVERS = 1000


def live_folder(workspace: Workspace) -> Path:
    """Return where the segments are."""
    return workspace.project.state / FOLDER


def server_number(workspace: Workspace) -> int:
    """Return which of several servers of one warehouse this is, as ``LEAT_SERVER`` says; 0 if it says nothing.

    Raises:
        WarehouseError: it isn't a number, or the warehouse has one server only.
    """
    given = os.environ.get("LEAT_SERVER") or "0"
    if not given.isdecimal() or int(given) >= _SERVERS:
        msg = (
            f"LEAT_SERVER is {given!r}. Next: give each server of the warehouse another number from 0 to {_SERVERS - 1}"
        )
        raise WarehouseError(msg)
    if int(given) and workspace.warehouse.publication is not None:
        msg = "LEAT_SERVER: several servers need a warehouse on Postgres. Next: unset it, or `leat move` the warehouse"
        raise WarehouseError(msg)
    return int(given)


def first_number(workspace: Workspace) -> int:
    """Return the first number of a webhook on this server."""
    return server_number(workspace) * tables.EACH + 1


def numbering_problem(workspace: Workspace, applied: int | None = None) -> str | None:
    """Return why webhooks would get numbers that others have, and some would never be seen; None if they don't.

    Args:
        workspace: the project.
        applied: number of the newest webhook in the tables, if that is to be looked at as well.
    """
    try:
        server = server_number(workspace)
    except WarehouseError as error:
        return str(error)
    live = live_folder(workspace)
    listed = segments(live)
    others = {first_of(segment) // tables.EACH for segment in listed} - {server}
    if others:
        return (
            f"{live} has webhooks of server {min(others)}, and this is server {server}. Next: set LEAT_SERVER to "
            f"{min(others)}, or give this server a state folder of its own; nothing was removed"
        )
    if listed and applied is not None and applied > last_number(live):
        return (
            f"webhook {applied} is in the warehouse and was never stored here: another server has the same number. "
            "Next: give each its own LEAT_SERVER; nothing was removed"
        )
    return None


def check_numbers(workspace: Workspace, applied: int) -> None:
    """Make sure that no other server gives the same numbers.

    Raises:
        WarehouseError: one does.
    """
    problem = numbering_problem(workspace, applied)
    if problem is not None:
        raise WarehouseError(problem)
