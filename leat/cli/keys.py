"""``leat keys``: the keys that secrets and personal data are encrypted with; replace them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from leat.cli.output import Json, counted, mark_of, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import BUSY, FAILED
from leat.runs.access import Resource, Verb, require
from leat.runs.keys import keys_status, reencrypt_values, rewrap_keys, rotate_keys
from leat.runs.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show and replace the keys that leat encrypts with.")
    group.callback()(show)
    for command in (status, rotate, reencrypt):
        group.command(command.__name__)(command)
    app.add_typer(group, name="keys")


def show(context: typer.Context, json: Json = False) -> None:
    """Show the keys."""
    if context.invoked_subcommand is None:
        status(context, json=json)


def status(context: typer.Context, json: Json = False) -> None:
    """Show the data keys. Say how much each encrypts, and whether they can be unwrapped."""
    shown = keys_status(_open(context, "read"))
    if json:
        print_json(command="keys", **asdict(shown))
    else:
        say(mark_of(shown.problem is None), f" {shown.provider}: {shown.problem or shown.where}")
        if shown.keys:
            table = [(k.key, k.purpose, k.state, k.values, minute(k.created_at), k.kek) for k in shown.keys]
            print_table(("key", "purpose", "state", "values", "created (UTC)", "wrapped under"), table, below=True)
        say(counted(len(shown.keys), "data key"))
        if any(key.state == "old" for key in shown.keys):
            say("`leat keys reencrypt` encrypts again what old keys have encrypted, and retires them")
    if shown.problem is not None:
        raise typer.Exit(FAILED)


def rotate(
    context: typer.Context,
    kek: Annotated[
        bool, typer.Option("--kek", help="Wrap the data keys under a new key-encryption key instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Replace the data keys by new ones. Old ones still decrypt until `leat keys reencrypt` retires them."""
    workspace = _open(context, "administer")
    count = rewrap_keys(workspace) if kek else rotate_keys(workspace)
    if json:
        print_json(command="keys rotate", kek=kek, keys=count)
    elif kek:
        say(f"{counted(count, 'data key')} wrapped under a new key-encryption key")
    else:
        say(f"{counted(count, 'new data key')}; `leat keys reencrypt` encrypts again what the old ones have encrypted")


def reencrypt(
    context: typer.Context,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for loads that hold an old key.")] = 60,
    json: Json = False,
) -> None:
    """Encrypt everything with the current keys, then retire old ones.

    It can be killed and run again, while all else goes on. Exit code 75: a load still holds an old key; run it again.
    """
    workspace = _open(context, "administer")
    done = reencrypt_values(workspace, lambda _place, _count: None, wait)
    if json:
        print_json(command="keys reencrypt", values=done.values, retired=list(done.retired), in_use=done.in_use)
    else:
        for place, count in done.values.items():
            say(f"{place}: {counted(count, 'value')} encrypted again")
        say(f"{counted(len(done.retired), 'old key')} retired")
        for key, reason in done.in_use.items():
            say(("!", "yellow"), f" {key} isn't retired: {reason}; run `leat keys reencrypt` again later")
    if done.in_use:
        raise typer.Exit(BUSY)


def _open(context: typer.Context, verb: Verb) -> Workspace:
    workspace: Workspace = context.obj()
    require(workspace, verb, Resource("key"))
    return workspace
