"""Moves the control store of a project to another database."""

from __future__ import annotations

from collections.abc import Callable

from leat.control.moving import CopiedTable, copy_control
from leat.runs.access import seal
from leat.runs.moving.warehouse import check_no_run, serve_ended
from leat.runs.workspace import Workspace


def move_control(
    workspace: Workspace, url: str, observer: Callable[[CopiedTable], None] = lambda _: None
) -> list[CopiedTable]:
    """Copy the control store of a project to another database, and compare both; the old one isn't changed.

    Args:
        workspace: the project.
        url: of the new one.
        observer: called for each table.

    Raises:
        Busy: `leat serve` or a run is going on.
        WarehouseError: the new one isn't empty, can't be opened, or differs.
    """
    with serve_ended(workspace):
        check_no_run(workspace)
        seal(workspace)  # in the order of the old database's transactions
        workspace.close()
        return copy_control(workspace.project.control_url, url, observer)
