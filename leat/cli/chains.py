"""``leat actions approve-chain``: approve the steps of a target of an automation together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.action_text import PATIENCE, print_brief, report, rows_of
from leat.cli.output import Json, counted, say
from leat.cli.usage import FAILED
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.acting import ActionRow


def approve_chain(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Id of any step, or its first characters.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    note: Annotated[str, typer.Option("--note", help="Why; it is recorded.")] = "",
    later: Annotated[bool, typer.Option("--no-send", help="Leave the sending to the next run.")] = False,
    json: Json = False,
) -> None:
    """Approve all steps of a chain together, and send them. All as shown, or none. On a terminal it asks once."""
    from leat.actions.chain import chain_of
    from leat.runs.acting import Acted, send_approved

    workspace: Workspace = context.obj()
    steps = chain_of(workspace.store, rows_of(workspace, [key])[0])
    if not json:
        for row in steps:
            print_brief(row)
    if not yes and not json and sys.stdin.isatty():
        question = f"Approve the chain of {counted(len(steps), 'action')}{'' if later else ', and send it'}?"
        if not typer.confirm(question):
            say("approved nothing")
            return
    refused = _decide(workspace, steps, note, as_json=json)
    acted = Acted()
    if not refused and not later:
        acted = send_approved(workspace, patience=PATIENCE, integrations={row.integration for row in steps})
    acted.actions = chain_of(workspace.store, steps[0])
    report(acted, {row.id for row in steps}, "actions approve-chain", as_json=json, refused=refused)
    if refused:
        raise typer.Exit(FAILED)


def _decide(workspace: Workspace, steps: list[ActionRow], note: str, *, as_json: bool) -> dict[str, str]:
    """Approve a chain; return why that isn't allowed, by the ids of its steps."""
    from leat.actions.chain import approve_chain
    from leat.actions.decide import NotAllowed
    from leat.runs.access import Forbidden, action, require
    from leat.runs.acting import user_name

    try:
        require(workspace, "approve", map(action, steps))
        approve_chain(workspace.store, steps, user_name(), note)
    except (NotAllowed, Forbidden) as error:
        if not as_json:
            say(("✗", "red"), f" {error}")
        return {row.id: str(error) for row in steps}
    return {}
