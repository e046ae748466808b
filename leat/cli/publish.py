"""``leat publish``: let readers have the newest version, or with ``--force`` one that checks keep back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from leat.cli.names import read_names
from leat.cli.output import Json, say
from leat.cli.run import execute
from leat.cli.usage import UsageMistake
from leat.pipelines.load.run import Request
from leat.runs.workspace import Workspace


def standing(workspace: Workspace) -> dict[str, Any]:
    """Return what checks keep back, and what was forced, in JSON's terms."""
    from leat.control.publications import blocked_since, current_publications

    found = current_publications(workspace.store)
    return {
        "withheld": None if found.withheld is None else found.withheld.data,
        "forced": [{"at": each.at, "by": each.by, **each.data} for each in found.forced],
        "blocked": [{"integration": name, "since": at} for name, at in blocked_since(workspace.store).items()],
    }


def print_standing(workspace: Workspace) -> None:
    """Print why readers don't have the newest version, since when, and what to do next."""
    from leat.control.publications import blocked_since, current_publications
    from leat.runs.publish import describe_forced, describe_withheld

    found = current_publications(workspace.store)
    if found.withheld is not None:
        say("\n", ("not published", "red"), f": {describe_withheld(found.withheld)}")
    for name, since in blocked_since(workspace.store).items():
        if name in workspace.declarations:
            say("\n", ("not loaded", "red"), f": {_tell_blocked(name, since)}")
    for forced in found.forced:
        say("\n", ("forced", "yellow"), f": {describe_forced(forced)}")


def _tell_blocked(name: str, since: datetime) -> str:
    return (
        f"{name}, whose own checks have failed since {since:%Y-%m-%d %H:%M:%S} UTC; readers keep its old rows. "
        f"Next: mend the data or the check and run again, or `leat publish --force {name} --reason '…'`"
    )


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(publish)


def publish(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(help="With --force: integrations whose own checks keep their load back; they are loaded first."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish in spite of failed checks; who did it is kept in the log.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --force: why, for the log.")] = "",
    json: Json = False,
) -> None:
    """Bring models and rules up to date and publish what passes, without loading anything."""
    if not force and (names or reason):
        msg = "names and --reason belong to --force; `leat run NAME` loads an integration whose checks count"
        raise UsageMistake(msg)
    workspace: Workspace = context.obj()
    asked = read_names(workspace, names) if names else []
    execute(workspace, asked, Request(forced=force), as_json=json, command="publish", reason=reason)
