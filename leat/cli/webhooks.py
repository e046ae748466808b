"""``leat webhooks``: the endpoints that leat sends webhooks to, and the messages; test, replay, pause, enable."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import FAILED, UsageMistake, not_there
from leat.runs import webhooks_out
from leat.runs.access import Resource, local_user, require
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.hooks.out.declaration import Webhooks

_NONE = "no webhooks are declared; declare endpoints in quality/webhooks.yaml, as leat's docs/webhooks.md shows"
Name = Annotated[str | None, typer.Option("--endpoint", help="Only this endpoint.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show where webhooks are sent, and the messages.")
    group.callback()(show)
    group.command("test")(test)
    group.command("replay")(replay)
    group.command("pause")(pause)
    group.command("enable")(enable)
    app.add_typer(group, name="webhooks")


def show(
    context: typer.Context,
    endpoint: Name = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only messages that were given up.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many messages.")] = 20,
    json: Json = False,
) -> None:
    """Show the endpoints, and the newest messages."""
    if context.invoked_subcommand is not None:
        return
    workspace: Workspace = context.obj()
    declared = _declared(workspace, endpoint)
    endpoints = webhooks_out.endpoint_list(workspace, declared)
    messages = webhooks_out.list_webhooks(workspace, _wanted(endpoint, failed), limit)
    if json:
        print_json(
            command="webhooks", endpoints=[asdict(each) for each in endpoints], messages=[asdict(m) for m in messages]
        )
        return
    for each in endpoints:
        say(
            f"endpoint {each.name}: {each.state}"
            + (f" until {minute(each.paused_until)}" if each.paused_until else "")
            + (f" ({each.why})" if each.why else "")
            + "".join(f", public key {key}" for key in each.public_keys)
        )
    rows = [
        (m.id, minute(m.created_at), m.endpoint, m.event_type, m.status, m.attempts, m.error or None) for m in messages
    ]
    if rows:
        columns = ("id", "created (UTC)", "endpoint", "event", "status", "attempts", "error")
        print_table(columns, rows, title="\nMessages, the newest first", below=True)


def test(context: typer.Context, endpoint: str, json: Json = False) -> None:
    """Send a test message to an endpoint.

    Reports whether the endpoint accepted it.
    """
    workspace: Workspace = context.obj()
    declared = _declared(workspace, endpoint)
    require(workspace, "configure", Resource("endpoint", endpoint))
    error = webhooks_out.try_endpoint(workspace, declared, endpoint)
    if json:
        print_json(command="webhooks test", endpoint=endpoint, ok=error is None, error=error)
    elif error is None:
        say(("✓", "green"), f" {endpoint} accepted a test message")
    else:
        say(("✗", "red"), f" {endpoint}: {error}")
    if error is not None:
        raise typer.Exit(FAILED)


def replay(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="Messages, by the beginning of their ids.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All messages that were given up.")] = False,
    endpoint: Name = None,
    json: Json = False,
) -> None:
    """Send messages again, with the same id and content."""
    workspace: Workspace = context.obj()
    declared = _declared(workspace, endpoint)
    require(workspace, "configure", Resource("endpoint", endpoint or ""))
    if bool(ids) is failed:
        msg = "give ids, or --failed for all that were given up"
        raise UsageMistake(msg)
    wanted: list[webhooks_out.Wanted | str] = [_id(workspace, each) for each in ids or ()]
    if failed:
        wanted = [_wanted(endpoint, failed)]
    replayed = [each for one in wanted for each in webhooks_out.replay_webhooks(workspace, declared, one)]
    accepted = webhooks_out.send_webhooks(workspace) if replayed else 0
    if json:
        print_json(command="webhooks replay", replayed=replayed, accepted=accepted)
    else:
        say(f"{counted(len(replayed), 'message')} sent again, {accepted} accepted")


def pause(context: typer.Context, endpoint: str, json: Json = False) -> None:
    """Send nothing to an endpoint until it is enabled.

    Its messages wait.
    """
    workspace: Workspace = context.obj()
    _declared(workspace, endpoint)
    require(workspace, "configure", Resource("endpoint", endpoint))
    webhooks_out.pause_endpoint(workspace, endpoint, local_user(workspace).name)
    if json:
        print_json(command="webhooks pause", endpoint=endpoint)
    else:
        say(f"{endpoint} is paused until `leat webhooks enable {endpoint}`")


def enable(context: typer.Context, endpoint: str, json: Json = False) -> None:
    """Send to an endpoint again that is disabled or paused."""
    workspace: Workspace = context.obj()
    _declared(workspace, endpoint)
    require(workspace, "configure", Resource("endpoint", endpoint))
    webhooks_out.enable_endpoint(workspace, endpoint)
    if json:
        print_json(command="webhooks enable", endpoint=endpoint)
    else:
        say(f"{endpoint} is enabled")


def _declared(workspace: Workspace, endpoint: str | None) -> Webhooks:
    declared = webhooks_out.declared_webhooks(workspace)
    if declared is None:
        raise UsageMistake(_NONE)
    if endpoint is not None and endpoint not in declared.endpoints:
        what = f"no endpoint {endpoint!r} is declared"
        raise UsageMistake(not_there(what, endpoint, declared.endpoints, "declared"))
    return declared


def _id(workspace: Workspace, prefix: str) -> str:
    matching = webhooks_out.list_webhooks(workspace, webhooks_out.Wanted(prefix=prefix), 2)
    if len(matching) != 1:
        msg = f"{'no message has' if not matching else 'several messages have'} an id that begins with {prefix!r}"
        raise UsageMistake(msg)
    return matching[0].id


def _wanted(endpoint: str | None, failed: bool) -> webhooks_out.Wanted:
    return webhooks_out.Wanted(endpoint=endpoint, outcome="failed" if failed else None)
