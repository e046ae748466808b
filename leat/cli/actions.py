"""``leat actions``: what is planned, under way and done; approve, reject, cancel, undo; the kill switch."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli import chains, decisions
from leat.cli.action_text import print_outcome, print_plan, print_verb, print_verbs, rows_of
from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_fields, print_table
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    pass


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show actions; approve, reject, cancel and undo them.")
    group.callback()(show_open)
    for command in (list_, show, verbs):
        group.command(command.__name__.rstrip("_"))(command)
    decisions.add_to(group)
    group.command("approve-chain")(chains.approve_chain)
    app.add_typer(group, name="actions")


def show_open(context: typer.Context, json: Json = False) -> None:
    """Show the open actions."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def list_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also show those that are over.")] = False,
    integration: Annotated[str | None, typer.Option("--integration", help="Only those of this integration.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")] = 50,
    json: Json = False,
) -> None:
    """List open actions, newest first. With --all also those that are over."""
    from leat.runs.acting import kill_switches, list_actions

    workspace: Workspace = context.obj()
    rows = list_actions(workspace, every=every, integration=integration, limit=limit)
    stops = kill_switches(workspace)
    if json:
        print_json(command="actions", actions=list(map(asdict, rows)), stops=list(map(asdict, stops)))
        return
    for each in stops:
        what = "all actions are" if each.scope == "*" else f"actions of {each.scope} are"
        note = f": {each.note}" if each.note else ""
        say(("stopped", "red"), f": {what} stopped by {each.stopped_by} since {minute(each.stopped_at)} UTC{note}")
    if not rows:
        say("no actions" if every else "no open actions; `leat actions list --all` shows those that are over")
        return
    columns = ("id", "state", "verb", "planned (UTC)", "title")
    table = [
        (r.id[:8], r.state, f"{r.integration}.{r.verb}", minute(r.created_at), f"{r.title} (by {r.created_by})")
        for r in rows
    ]
    print_table(columns, table, below=True)
    waiting = sum(row.state in ("planned", "held") for row in rows)
    how = f", {waiting} waiting for approval: `leat actions approve ID…`, or `--all`" if waiting else ""
    say(counted(len(rows), "action") + how)


def show(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Id of the action, or its first characters.")],
    json: Json = False,
) -> None:
    """Show an action: the plan, who decided, what happened."""
    from leat.actions.office import UnknownAction
    from leat.runs.acting import history, office_of

    workspace: Workspace = context.obj()
    [row] = rows_of(workspace, [key])
    events = history(workspace, row.id)
    if json:
        print_json(command="actions show", action=asdict(row), events=list(map(asdict, events)))
        return
    try:
        undo = office_of(workspace).verb(row.integration, row.verb)[0].undo
    except UnknownAction:
        undo = "unknown, because its integration is no longer declared"
    print_plan(row, undo)
    say("")
    print_outcome(row)
    facts = {"id": row.id, "digest": row.digest, "attempts": row.attempts, "subject": row.subject,
             "undoes": row.undo_of, "after": row.after_id, "automation": row.automation}  # fmt: skip
    stated = {name: value for name, value in facts.items() if value is not None}
    print_fields(list(stated), list(stated.values()))
    times = [(f"{each.at:%Y-%m-%d %H:%M:%S}", each.state, each.by, each.detail or None) for each in events]
    print_table(("at (UTC)", "state", "by", "detail"), times, title="\nHistory", below=True)


def verbs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME.VERB", help="One verb, with its parameters; all when none is given.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what leat can do on the declared systems. For one verb, show its parameters and what it needs."""
    from leat.actions.office import UnknownAction
    from leat.runs.acting import office_of

    workspace: Workspace = context.obj()
    if name is None or json:
        print_verbs(workspace, as_json=json)
        return
    integration, _, verb = name.partition(".")
    try:
        print_verb(name, office_of(workspace).verb(integration, verb)[0])
    except UnknownAction as error:
        raise UsageMistake(str(error)) from error
