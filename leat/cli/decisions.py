"""What people decide on the command line: approve, reject, cancel, undo and resolve actions; the kill switch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.action_text import PATIENCE, START, add_unsent, print_brief, print_outcome, report, rows_of
from leat.cli.output import Json, counted, print_json, say
from leat.cli.usage import FAILED, UsageMistake, not_there
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.access import Resource
    from leat.runs.acting import ActionRow

Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of actions, or their first characters.")]
Note = Annotated[str, typer.Option("--note", help="Why; it is recorded.")]
Scope = Annotated[
    str, typer.Argument(help="An integration, or automation/NAME; everything when none is given.", metavar="SCOPE")
]


def add_to(group: typer.Typer) -> None:
    """Add the commands to ``leat actions``."""
    for command in (approve, reject, cancel, undo, resolve, send, stop, start):
        group.command()(command)


def approve(
    context: typer.Context,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Ids of actions, or their first characters.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wait for approval; on a terminal it asks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: don't ask.")] = False,
    note: Note = "",
    later: Annotated[bool, typer.Option("--no-send", help="Leave the sending to the next run.")] = False,
    json: Json = False,
) -> None:
    """Approve actions and send them."""
    from leat.actions.decide import approve as decide
    from leat.runs.acting import Acted, actions_by_id, send_approved, user_name, waiting_actions

    workspace: Workspace = context.obj()
    if bool(keys) == every:
        msg = "name the actions by their ids, or use --all; `leat actions` lists them"
        raise UsageMistake(msg)
    rows = rows_of(workspace, keys) if keys else waiting_actions(workspace)
    if every and rows and not yes and not json and sys.stdin.isatty():
        for row in rows:
            print_brief(row)
        if not typer.confirm(f"Approve {counted(len(rows), 'action')}{'' if later else ', and send'}?"):
            say("approved nothing")
            return
    refused = _each(workspace, rows, lambda row: decide(workspace.store, row, user_name(), note), as_json=json)
    ids = {row.id for row in rows} - refused.keys()
    if not rows and not json:
        say("no action waits for approval")
    if later:
        acted = Acted(actions=actions_by_id(workspace, ids))
    else:
        acted = send_approved(workspace, patience=PATIENCE, integrations={row.integration for row in rows})
        add_unsent(workspace, acted, ids, as_json=json)
    report(acted, ids, "actions approve", as_json=json, refused=refused)
    if refused:
        raise typer.Exit(FAILED)


def reject(context: typer.Context, keys: Ids, note: Note = "", json: Json = False) -> None:
    """Reject planned actions, so that they are never sent."""
    from leat.actions.decide import reject as decide

    _decide(context, keys, lambda workspace, row, by: decide(workspace.store, row, by, note), "reject", as_json=json)


def cancel(context: typer.Context, keys: Ids, note: Note = "", json: Json = False) -> None:
    """Withdraw actions that have not been sent. That includes approved ones."""
    from leat.actions.decide import cancel as decide

    _decide(context, keys, lambda workspace, row, by: decide(workspace.store, row, by, note), "cancel", as_json=json)


def undo(
    context: typer.Context,
    keys: Ids,
    yes: Annotated[bool, typer.Option("--yes", help="Approve and send them at once, unless they move money.")] = False,
    json: Json = False,
) -> None:
    """Plan actions that reverse others. They need an approval, like any action."""
    from leat.actions.decide import NotAllowed
    from leat.actions.decide import undo as plan
    from leat.runs.access import Forbidden, action, require
    from leat.runs.acting import office_of, user_name
    from leat.sources.actions import Refused

    workspace: Workspace = context.obj()
    by, planned, refused = user_name(), [], {}
    for row in rows_of(workspace, keys):
        try:
            require(workspace, "approve", action(row))
            planned.append(plan(office_of(workspace), row, by))
        except (NotAllowed, Refused, Forbidden) as error:
            refused[row.id] = str(error)
            _print_refusal(error, as_json=json)
    approve_and_report(workspace, planned, "actions undo", yes=yes, as_json=json, refused=refused)


def approve_and_report(
    workspace: Workspace,
    planned: Sequence[ActionRow],
    command: str,
    *,
    yes: bool,
    as_json: bool,
    refused: Mapping[str, str],
) -> None:
    """Print what takes actions back, and exit with 1 if something was refused.

    Args:
        workspace: the project.
        planned: the actions that do it.
        command: the command, for JSON.
        yes: whether to approve and send them before, unless they move money.
        as_json: whether to print JSON.
        refused: why others can't be taken back, by the id of the action; it has been printed.
    """
    from leat.actions.decide import approve as decide
    from leat.runs.acting import Acted, actions_by_id, send_approved, user_name

    def approve(row: ActionRow) -> None:
        decide(workspace.store, row, user_name())

    approved = [row for row in planned if yes and not row.money]
    refused = {**refused, **_each(workspace, approved, approve, as_json=as_json)}
    sent = {row.integration for row in approved}
    acted = send_approved(workspace, patience=PATIENCE, integrations=sent) if sent else Acted()
    acted.actions = actions_by_id(workspace, [row.id for row in planned])
    report(acted, {row.id for row in planned}, command, as_json=as_json, refused=refused)
    waiting = [row.id[:8] for row in planned if not yes or row.money]
    if waiting and not as_json:
        say(f"to be approved: `leat actions approve {' '.join(waiting)}`", whole=True)
    if refused:
        raise typer.Exit(FAILED)


def resolve(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Id of the action, or its first characters.")],
    happened: Annotated[
        bool | None, typer.Option("--happened/--not-happened", help="Whether the system shows its effect.")
    ] = None,
    json: Json = False,
) -> None:
    """For the state asking: say whether there was an effect. leat sends one without effect again."""
    from leat.actions.decide import answer

    if happened is None:
        msg = "add --happened if the system shows the effect of the action, or --not-happened if it doesn't"
        raise UsageMistake(msg)

    def do(workspace: Workspace, row: ActionRow, by: str) -> None:
        answer(workspace.store, row, by, happened=happened)

    _decide(context, [key], do, "resolve", as_json=json)


def send(context: typer.Context, json: Json = False) -> None:
    """Send what is approved and due now. Also confirm what was sent. Each `leat run` does the same."""
    from leat.runs.acting import send_approved

    workspace: Workspace = context.obj()
    acted = send_approved(workspace, patience=PATIENCE)
    if not json and not acted.actions and not acted.problems:
        say("nothing to send")
    report(acted, {row.id for row in acted.actions}, "actions send", as_json=json)


def stop(context: typer.Context, scope: Scope = "*", note: Note = "", json: Json = False) -> None:
    """Stop sending actions, until `leat actions start`."""
    from leat.runs.access import require
    from leat.runs.acting import stop as stop_sending

    workspace: Workspace = context.obj()
    require(workspace, "stop", _of_scope(scope))
    if scope != "*" and not scope.startswith("automation/") and scope not in workspace.declarations:
        msg = not_there(f"no integration {scope!r} is declared", scope, workspace.declarations, "declared")
        raise UsageMistake(msg)
    stop_sending(workspace, scope, note)
    if json:
        print_json(command="actions stop", scope=scope)
    else:
        what, command = ("", START) if scope == "*" else (f" of {scope}", f"{START} {scope}")
        say(f"stopped: nothing{what} is sent until `{command}`")


def start(context: typer.Context, scope: Scope = "*", json: Json = False) -> None:
    """Let actions be sent again."""
    from leat.runs.access import require
    from leat.runs.acting import start as start_sending

    workspace: Workspace = context.obj()
    require(workspace, "stop", _of_scope(scope))
    was_on = start_sending(workspace, scope)
    what = "actions are" if scope == "*" else f"actions of {scope} are"
    if json:
        print_json(command="actions start", scope=scope, was_stopped=was_on)
    else:
        say(f"{what} sent again, by `leat actions send` or the next run" if was_on else f"{what} not stopped")


def _of_scope(scope: str) -> Resource:
    from leat.runs.access import Resource

    named = scope != "*" and not scope.startswith("automation/")
    return Resource("action", integration=scope if named else None)


def _decide(
    context: typer.Context,
    keys: Sequence[str],
    do: Callable[[Workspace, ActionRow, str], None],
    command: str,
    *,
    as_json: bool,
) -> None:
    from leat.runs.acting import actions_by_id, user_name

    workspace: Workspace = context.obj()
    rows, by = rows_of(workspace, keys), user_name()
    refused = _each(workspace, rows, lambda row: do(workspace, row, by), as_json=as_json)
    after = actions_by_id(workspace, [row.id for row in rows if row.id not in refused])
    if as_json:
        print_json(command=f"actions {command}", actions=list(map(asdict, after)), refused=refused)
    else:
        for row in after:
            print_outcome(row)
    if refused:
        raise typer.Exit(FAILED)


def _each(
    workspace: Workspace, rows: Sequence[ActionRow], do: Callable[[ActionRow], None], *, as_json: bool
) -> dict[str, str]:
    """Decide on each action, and return why that isn't allowed for some, by their id; it is printed, too."""
    from leat.actions.decide import NotAllowed
    from leat.runs.access import Forbidden, action, require

    refused = {}
    for row in rows:
        try:
            require(workspace, "approve", action(row))
            do(row)
        except (NotAllowed, Forbidden) as error:
            refused[row.id] = str(error)
            _print_refusal(error, as_json=as_json)
    return refused


def _print_refusal(error: Exception, *, as_json: bool) -> None:
    if not as_json:
        say(("✗", "red"), f" {error}")
