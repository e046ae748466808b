"""``leat tokens``: tokens by which programs use the API of ``leat serve``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake, not_there
from leat.runs.access import Resource, local_user, require
from leat.runs.workspace import Workspace
from leat.security.principal import Role

if TYPE_CHECKING:
    from leat.security.tokens import TokenRow


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Create, list and revoke tokens for the API.")
    group.callback()(show_all)
    for command in (create, list_, revoke):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="tokens")


def show_all(context: typer.Context, json: Json = False) -> None:
    """Show the tokens."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    expires: Annotated[str, typer.Option("--expires", help="When it stops working: P90D, or a time with its zone.")],
    role: Annotated[str | None, typer.Option("--role", help="The most that it may do; your role if not given.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Limit it to a verb, such as read or run:payments; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Create a token for yourself; it is shown once."""
    from leat.security.tokens import TokenRefused, create_token

    if role is not None and role not in get_args(Role):
        raise UsageMistake(not_there(f"there is no role {role!r}", role, get_args(Role), "roles"))
    workspace: Workspace = context.obj()
    owner = local_user(workspace)
    require(workspace, "administer", Resource("token", owner=owner.person))
    now = datetime.now(UTC)
    try:
        row, text = create_token(workspace.store, owner, name, _time(expires, now), role=cast("Role | None", role),
                                 scopes=scope or (), now=now)  # fmt: skip
    except TokenRefused as error:
        raise UsageMistake(str(error)) from error
    if json:
        print_json(command="tokens create", token=text, details=asdict(row))
        return
    say(text, whole=True)
    say(f"{row.name}: {row.role}, expires {minute(row.expires_at)} UTC; it can't be shown again", style="dim")


def list_(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only yours.")] = False,
    json: Json = False,
) -> None:
    """List tokens, without their secrets."""
    from leat.security.tokens import list_tokens

    workspace: Workspace = context.obj()
    user = local_user(workspace)
    require(workspace, "read", Resource("token", owner=user.person if mine else None))
    rows = list_tokens(workspace.store, user.person if mine else None)
    if json:
        print_json(command="tokens", tokens=list(map(asdict, rows)))
        return
    if not rows:
        say('no tokens; `leat tokens create "what it is for" --expires P90D` creates one')
        return
    now = datetime.now(UTC)
    table = [
        (row.id, row.name, row.owner_name, row.role, ", ".join(row.scopes) or None, _state(row, now),
         minute(row.expires_at), minute(row.used_at) or None)
        for row in rows
    ]  # fmt: skip
    print_table(("id", "for", "owner", "role", "scopes", "state", "expires (UTC)", "used (UTC)"), table, below=True)
    say(counted(len(rows), "token"))


def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Id of the token: what follows leat_.")],
    json: Json = False,
) -> None:
    """Revoke a token, at once."""
    from leat.security.tokens import list_tokens, revoke_token

    workspace: Workspace = context.obj()
    rows = {row.id: row for row in list_tokens(workspace.store)}
    if key not in rows:
        raise UsageMistake(not_there(f"there is no token {key!r}", key, rows, "tokens"))
    require(workspace, "administer", Resource("token", key, owner=rows[key].owner))
    revoked = revoke_token(workspace.store, key, local_user(workspace))
    if json:
        print_json(command="tokens revoke", token=key, revoked=revoked)
    else:
        say(f"{rows[key].name} is revoked" if revoked else f"{rows[key].name} was revoked before")


def _state(row: TokenRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if now >= row.expires_at else "valid"


def _time(text: str, now: datetime) -> datetime:
    from leat.pipelines.declare.values import duration

    try:
        return now + duration(text) if text.startswith("P") else datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"--expires {text}: write P90D for 90 days, or a time such as 2027-01-01T00:00Z"
        raise UsageMistake(msg) from error
