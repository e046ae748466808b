"""``leat suppressions``: addresses that get no mail; list, add, remove."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.output import Json, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.suppressing import Reason

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="The mail address.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show addresses that get no mail; add and remove them.")
    group.callback()(show_all)
    for command in (list_, add, remove):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="suppressions")


def show_all(context: typer.Context, json: Json = False) -> None:
    """Show the addresses that get no mail, and why."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def list_(context: typer.Context, json: Json = False) -> None:
    """List the addresses that get no mail, and why."""
    from leat.runs.suppressing import suppressed

    workspace: Workspace = context.obj()
    listed = suppressed(workspace)
    if json:
        print_json(command="suppressions", suppressions=[asdict(each) for each in listed])
        return
    if not listed:
        say("every address may get mail")
        return
    rows = [(each.address, each.reason, minute(each.since), each.added_by, each.note or None) for each in listed]
    print_table(("address", "reason", "since", "by", "note"), rows)


def add(
    context: typer.Context,
    address: Address,
    reason: Annotated[str, typer.Option("--reason", help="bounce, complaint, opt_out or manual.")] = "manual",
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    json: Json = False,
) -> None:
    """Suppress an address. With --reason opt_out, it gets no bulk mail but still single mails."""
    from leat.runs import suppressing

    workspace: Workspace = context.obj()
    try:
        added = suppressing.add(workspace, address, _reason(reason), note)
    except ValueError as error:
        msg = f"{address}: {error}"
        raise UsageMistake(msg) from None
    if json:
        print_json(command="suppressions add", added=added)
        return
    say(f"{address} gets no {'bulk ' if reason == 'opt_out' else ''}mail" + ("" if added else " already"))


def remove(
    context: typer.Context,
    address: Address,
    reason: Annotated[str | None, typer.Option("--reason", help="Remove only what has this reason.")] = None,
    json: Json = False,
) -> None:
    """Let an address receive mail again."""
    from leat.runs import suppressing

    workspace: Workspace = context.obj()
    removed = suppressing.remove(workspace, address, _reason(reason) if reason else None)
    if json:
        print_json(command="suppressions remove", removed=removed)
        return
    say(f"{address} may get mail again" if removed else f"{address} wasn't suppressed")


def _reason(written: str) -> Reason:
    from leat.runs.suppressing import REASONS

    if written not in REASONS:
        msg = f"--reason is one of {', '.join(REASONS)}"
        raise UsageMistake(msg)
    return written
