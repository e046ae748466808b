"""``leat secret``: secrets that leat stores, encrypted; declarations name them as ``{secret: NAME}``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake, not_there
from leat.runs.access import Resource, Verb, require
from leat.runs.stored_secrets import BadSecret, list_secrets, missing_secrets, remove_secret, set_secret, uses_of
from leat.runs.workspace import Workspace

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret, as {secret: NAME} has it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Set, list, rotate and remove secrets that leat stores.")
    group.callback()(show_all)
    for command in (set_, list_, rotate, remove):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="secret")


def show_all(context: typer.Context, json: Json = False) -> None:
    """Show the secrets."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def set_(context: typer.Context, name: Name, json: Json = False) -> None:
    """Store a secret. Its value is read from stdin, or asked for."""
    _change(context, name, json=json, rotated=False)


def rotate(context: typer.Context, name: Name, json: Json = False) -> None:
    """Replace the value of a secret. The new one is read from stdin, or asked for."""
    _change(context, name, json=json, rotated=True)


def _change(context: typer.Context, name: str, *, json: bool, rotated: bool) -> None:
    workspace = _open(context, "administer", name)
    try:
        set_secret(workspace, name, _value(name), rotated=rotated)
    except BadSecret as error:
        raise UsageMistake(str(error)) from error
    if json:
        print_json(command=f"secret {'rotate' if rotated else 'set'}", secret=name)
    else:
        say(f"{name} is {'replaced' if rotated else 'stored'}, encrypted")


def list_(context: typer.Context, json: Json = False) -> None:
    """List secrets without their values. Name those that a file names and are missing."""
    workspace = _open(context, "read")
    rows, missing = list_secrets(workspace), missing_secrets(workspace)
    if json:
        named = [{"name": name, "named_in": where} for name, where in missing.items()]
        print_json(command="secret", secrets=[asdict(row) for row in rows], missing=named)
        return
    if rows:
        table = [(row.name, minute(row.changed_at), row.changed_by) for row in rows]
        print_table(("name", "changed (UTC)", "by"), table, below=True)
    say(
        counted(len(rows), "secret")
        + ("; those that begin with @ are leat's own" if any(r.is_own for r in rows) else "")
    )
    for name, where in missing.items():
        say(("✗", "red"), f" {name} is named in {', '.join(where)} and not stored: `leat secret set {name}`")


def remove(
    context: typer.Context,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Even if a declaration names it.")] = False,
    json: Json = False,
) -> None:
    """Remove a secret."""
    workspace = _open(context, "administer", name)
    own = [row.name for row in list_secrets(workspace) if not row.is_own]
    if name not in own:
        raise UsageMistake(not_there(f"there is no secret {name!r}", name, own, "secrets"))
    used = uses_of(workspace, name)
    if used and not force:
        msg = f"{name} is named in {', '.join(used)}; remove it there first, or give --force"
        raise UsageMistake(msg)
    remove_secret(workspace, name)
    if json:
        print_json(command="secret remove", secret=name)
    else:
        say(f"{name} is removed")


def _value(name: str) -> str:
    """Return what stdin has, or what somebody types without seeing it; never an argument, which others could list."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"Value of {name} (it isn't shown): ")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _open(context: typer.Context, verb: Verb, name: str = "") -> Workspace:
    workspace: Workspace = context.obj()
    require(workspace, verb, Resource("secret", name))
    return workspace
