"""``leat publish``: publish the newest version, or with ``--force`` one that checks withhold."""

from __future__ import annotations

from typing import Annotated

import typer

from leat.cli.names import complete_integration, read_names
from leat.cli.output import Json
from leat.cli.run import execute
from leat.cli.usage import UsageMistake
from leat.pipelines.load.engine import Request
from leat.runs.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(publish)


def publish(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="With --force: load these integrations first, even if their checks fail.",
            autocompletion=complete_integration,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish despite failed checks; the log records who did it.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --force: the reason, for the log.")] = "",
    json: Json = False,
) -> None:
    """Update models and rules and publish, without loading. Only what passes its checks is published."""
    if not force and (names or reason):
        msg = "names and --reason belong to --force; `leat run NAME` loads an integration whose checks count"
        raise UsageMistake(msg)
    workspace: Workspace = context.obj()
    asked = read_names(workspace, names) if names else []
    execute(workspace, asked, Request(forced=force), as_json=json, command="publish", reason=reason)
