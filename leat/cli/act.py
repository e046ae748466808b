"""``leat act``: plans an action, shows what it would change, asks, and sends it."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.action_text import PATIENCE, add_unsent, print_plan, report
from leat.cli.output import Json, print_json, say
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.acting import NewAction


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(act)


def act(
    context: typer.Context,
    verb: Annotated[
        str, typer.Argument(metavar="NAME.VERB", help="What to do, such as payments.refund; see `leat actions verbs`.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter; may be repeated. Lists are JSON."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Send it at this time (with zone), not now.")
    ] = None,
    yes: Annotated[
        bool | None, typer.Option("--yes/--plan", help="Approve and send it, or leave it for approval; don't ask.")
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Show the plan; store and send nothing.")] = False,
    json: Json = False,
) -> None:
    """Plan an action, show what it changes, ask, and send it once."""
    from leat.actions.office import UnknownAction
    from leat.actions.propose import Wish, draft
    from leat.runs.acting import office_of, user_name
    from leat.sources.actions import Refused

    workspace: Workspace = context.obj()
    office = office_of(workspace)
    integration, dot, name = verb.partition(".")
    if not dot:
        msg = f"write NAME.VERB, such as payments.refund, not {verb!r}; `leat actions verbs` lists what leat can do"
        raise UsageMistake(msg)
    try:
        undo = office.verb(integration, name)[0].undo
    except UnknownAction as error:
        msg = f"{error}; `leat actions verbs` lists what leat can do on the declared systems"
        raise UsageMistake(msg) from error
    try:
        wish = Wish(integration, name, _parameters(parameter or ()), user_name(), not_before=_time(at))
        planned = draft(office, wish)
    except UnknownAction as error:
        msg = f"{error}; `leat actions verbs {verb}` lists the parameters"
        raise UsageMistake(msg) from error
    except Refused as error:
        msg = f"{verb}: {error}"
        raise UsageMistake(msg) from error
    if not json:
        print_plan(planned, undo)
    if dry:
        if json:
            print_json(command="act", dry_run=True, action=_as_json(planned))
        else:
            say(("dry run", "bold"), ": nothing was stored or sent")
        return
    _go_on(workspace, planned, yes=yes, as_json=json)


def _go_on(workspace: Workspace, planned: NewAction, *, yes: bool | None, as_json: bool) -> None:
    """Add a plan to the outbox; approve and send it when this person may and wants to."""
    from leat.actions.decide import approve
    from leat.actions.propose import add
    from leat.runs.access import Resource, require
    from leat.runs.access import action as resource_of
    from leat.runs.acting import office_of, send_approved

    money = frozenset({"money"} if planned.money else ())
    require(workspace, "plan", Resource("action", integration=planned.integration, tags=money))
    if yes is None and not as_json and not planned.money and sys.stdin.isatty():
        yes = typer.confirm("Send it?")
        if not yes:
            say("not sent, and not stored")
            return
    row = add(office_of(workspace), planned)
    if not yes or planned.money:
        why = "it moves money, so a second person has to approve it" if planned.money else "it waits for approval"
        if as_json:
            print_json(command="act", action=asdict(row))
        else:
            say(f"{why}: `leat actions approve {row.id[:8]}`")
        return
    require(workspace, "approve", resource_of(row))
    approve(workspace.store, row, planned.created_by)
    sent = send_approved(workspace, patience=PATIENCE, integrations={row.integration})
    add_unsent(workspace, sent, {row.id}, as_json=as_json)
    report(sent, {row.id}, "act", as_json=as_json)


def _parameters(given: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            msg = f"--param {each}: write NAME=VALUE"
            raise UsageMistake(msg)
        values[name] = _value(name, value)
    return values


def _value(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return jsonlib.loads(text)
    except ValueError as error:
        msg = f"--param {name}: what begins with {text[0]} has to be JSON; {error}"
        raise UsageMistake(msg) from None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        msg = f"--at {text}: write a time with its zone, such as 2026-12-01T09:00+01:00"
        raise UsageMistake(msg)
    return at.astimezone(UTC)


def _as_json(planned: NewAction) -> Mapping[str, Any]:
    left_out = ("bodies", "dedupe_key", "state", "reason")
    return {name: getattr(planned, name) for name in type(planned).__slots__ if name not in left_out}
