"""``leat hooks``: the webhooks that arrived, those that can't be read, and reading them again."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.names import read_names
from leat.cli.output import Json, cell_text, counted, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.received_webhooks import Event

group = typer.Typer(help="Show the webhooks that arrived; read some again.", invoke_without_command=True)
Numbers = Annotated[list[int] | None, typer.Argument(metavar="SEQ", help="Numbers, as the list shows them.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(group, name="hooks")


@group.callback()
def show_newest(context: typer.Context, json: Json = False) -> None:
    """Show the newest webhooks."""
    if context.invoked_subcommand is None:
        list_events(context, json=json)


@group.command("list")
def list_events(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only those of this integration.")] = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Those that can't be read.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")] = 20,
    json: Json = False,
) -> None:
    """List webhooks, newest first."""
    from leat.runs.received_webhooks import list_events as listed

    workspace: Workspace = context.obj()
    if name is not None:
        read_names(workspace, [name])
    events = listed(workspace, endpoint=name, quarantined=quarantined, limit=limit)
    if json:
        print_json(command="hooks list", events=[_as_json(event) for event in events])
        return
    if not events:
        say("no webhook is in quarantine" if quarantined else "no webhook has arrived yet")
        return
    last = "problem" if quarantined else "id"
    rows = [
        (event.seq, cell_text(event.received_at), event.endpoint, event.event_type, event.problem or event.event_id)
        for event in events
    ]
    print_table(("seq", "received", "integration", "type", last), rows)


@group.command()
def show(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="The number, as the list shows it.")],
    json: Json = False,
) -> None:
    """Show one webhook with its body."""
    from leat.runs.received_webhooks import find_event

    event = find_event(context.obj(), seq)
    if event is None:
        msg = f"no webhook has the number {seq}; `leat hooks list` shows them"
        raise UsageMistake(msg)
    if json:
        print_json(command="hooks show", event=_as_json(event))
        return
    for field, value in _as_json(event).items():
        if field != "body" and value is not None:
            say(f"{field}: {cell_text(value)}")
    say(_indented(event.body), whole=True)


@group.command()
def replay(
    context: typer.Context,
    numbers: Numbers = None,
    every: Annotated[bool, typer.Option("--all", help="All that are in quarantine.")] = False,
    load: Annotated[bool, typer.Option("--load/--no-load", help="Load their integrations afterwards.")] = True,
    json: Json = False,
) -> None:
    """Read quarantined webhooks again. Uses today's declarations, then loads the integrations."""
    from leat.pipelines.load.engine import Request
    from leat.runs import received_webhooks
    from leat.runs.run import run

    workspace: Workspace = context.obj()
    if bool(numbers) == every:
        msg = "name the webhooks by their numbers, or use --all; `leat hooks list --quarantined` lists them"
        raise UsageMistake(msg)
    chosen = numbers or [
        event.seq for event in received_webhooks.list_events(workspace, quarantined=True, limit=100_000)
    ]
    events = received_webhooks.replay(workspace, chosen)
    names = sorted({event.endpoint for event in events if event.problem is None} & set(workspace.declarations))
    if load and names:
        run(workspace, names, Request())
    if json:
        print_json(command="hooks replay", events=[_as_json(event) for event in events], loaded=names if load else [])
        return
    for event in events:
        if event.problem is not None:
            say(("✗", "red"), f" {event.seq} {event.endpoint}: {event.problem}")
    good = sum(event.problem is None for event in events)
    say(("✓", "green"), f" {counted(good, 'webhook')} can be read")


def _as_json(event: Event) -> dict[str, Any]:
    return {field: getattr(event, field) for field in event.__struct_fields__}


def _indented(body: str) -> str:
    try:
        return json_module.dumps(json_module.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
