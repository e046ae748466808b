"""``leat access``: what people may read who connect to the warehouse itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.output import Json, counted, mark_of, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake, not_there
from leat.runs.access import Resource, require
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.explaining import Explanation
    from leat.runs.granting import Granting

_OFF = "policies/ declare no `grants:`, so leat grants nobody anything"


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(help="Grant in the warehouse what policies permit.")
    for command in (plan, apply, explain):
        group.command()(command)
    app.add_typer(group, name="access")


def plan(context: typer.Context, json: Json = False) -> None:
    """Show how access to the warehouse differs from what policies permit. Change nothing."""
    from leat.runs.granting import plan as plan_access

    workspace: Workspace = context.obj()
    require(workspace, "read", Resource("policy"))
    granting = plan_access(workspace)
    if json:
        print_json(command="access plan", **_as_json(granting))
        return
    for statement in granting.plan.statements:
        say(f"{statement};", whole=True)
    _say(granting, "to be made: `leat access apply` makes them")


def apply(context: typer.Context, json: Json = False) -> None:
    """Make access what policies permit. In one transaction."""
    from leat.runs.granting import apply as apply_access

    workspace: Workspace = context.obj()
    require(workspace, "administer", Resource("policy"))
    granting = apply_access(workspace)
    if json:
        print_json(command="access apply", **_as_json(granting))
    else:
        _say(granting, "made")


def explain(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A login, an address, an account, or a role.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="schema.table, or schema.table.column.")],
    json: Json = False,
) -> None:
    """Show what somebody may read of a table. By which rule, and what enforces it."""
    from leat.runs.explaining import NotThere
    from leat.runs.explaining import explain as explain_access

    workspace: Workspace = context.obj()
    require(workspace, "read", Resource("policy"))
    try:
        explained = explain_access(workspace, person, table)
    except NotThere as error:
        raise UsageMistake(not_there(str(error), error.name, error.choices, f"{error.what}s")) from error
    if json:
        print_json(command="access explain", **asdict(explained))
    else:
        _say_explained(explained)


def _as_json(granting: Granting) -> dict[str, object]:
    plan = granting.plan
    return {
        "declared": granting.declared,
        "changes": plan.statements,
        "roles": dict(plan.names),
        "members": [asdict(each) for each in granting.membership],
        "missing": plan.missing,
        "above": plan.above,
    }


def _say(granting: Granting, what: str) -> None:
    plan = granting.plan
    if plan.statements:
        say(f"{counted(len(plan.statements), 'change')} {what}")
    elif granting.declared:
        members = counted(len(granting.membership), "account")
        say(("✓", "green"), f" the warehouse grants what policies/ permit; {members} in {len(plan.names)} roles")
    else:
        say(_OFF)
    for name in plan.missing:
        say(("!", "yellow"), f" {name}: the server has no such login role, so nothing is granted to it")
    if granting.declared and plan.above:
        say(("!", "yellow"), f" read everything, whatever is granted: {', '.join(plan.above)}")


def _say_explained(explained: Explanation) -> None:
    who = f"{explained.person} has the role {explained.role}" if explained.role else f"{explained.person} has no role"
    say(f"{who} ({explained.role_from})")
    rows = [
        (*mark_of(each.allowed)[:1], each.column, f"masked: {each.shown}, {each.shown_by}" if each.shown else None,
         each.rule or each.reason)
        for each in explained.columns
    ]  # fmt: skip
    print_table(("", f"column of {explained.table}", "shown", "because of"), rows)
    for where, name in explained.rows:
        say(f"only rows with {where} ({name})")
    say(f"enforced by {explained.enforced_by}" if explained.enforced_by else _OFF)
