"""``leat runs``: the history of runs, from the control store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from leat.cli.names import complete_integration, read_names
from leat.cli.output import Json, minute, print_json, say
from leat.cli.tables import print_table
from leat.runs.history import recent_runs
from leat.runs.workspace import Workspace

_COLUMNS = ("started (UTC)", "integration", "ended", "seconds", "changed", "quarantined", "error")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(runs)


def runs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this integration.", autocompletion=complete_integration)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many runs.")] = 20,
    json: Json = False,
) -> None:
    """Show the history of runs, newest first. For each: how it ended, and how many rows it changed."""
    workspace: Workspace = context.obj()
    if name is not None:
        read_names(workspace, [name])
    recent = recent_runs(workspace, name, limit)
    if json:
        print_json(command="runs", runs=[asdict(run) for run in recent])
        return
    if not recent:
        say("nothing has run yet")
        return
    rows = [
        (
            minute(run.started_at),
            run.integration,
            run.status.replace("_", " "),
            None if run.seconds is None else round(run.seconds, 1),
            run.counts.inserted + run.counts.updated + run.counts.deleted,
            run.counts.quarantined,
            run.error,
        )
        for run in recent
    ]
    columns = _COLUMNS if any(run.error for run in recent) else _COLUMNS[:-1]
    print_table(columns, [row[: len(columns)] for row in rows], below=len(columns) == len(_COLUMNS))
