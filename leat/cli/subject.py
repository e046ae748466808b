"""``leat subject``: find, export, erase and hold the data of a person."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.subject_text import (
    plan_json,
    print_plan,
    print_report,
    print_seen,
    report_json,
    seen_json,
    shown_identities,
)
from leat.cli.tables import print_table
from leat.cli.usage import FAILED, UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.sources.identity import Identity

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="An address, or another identity such as customer@payments:cus_1.")
]
Also = Annotated[list[str] | None, typer.Option("--also", help="Another identity of the same person; may be repeated.")]
Alone = Annotated[bool, typer.Option("--no-links", help="Don't follow links to other identities.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(no_args_is_help=True, help="Find, export, erase and hold the data of a person.")
    for command in (find, export, erase, lift, hold, release, holds, places):
        group.command(command.__name__)(command)
    app.add_typer(group, name="subject")


def find(context: typer.Context, address: Address, also: Also = None, alone: Alone = False, json: Json = False) -> None:
    """Show where a person's data is. Searches tables, the control store and files."""
    from leat.runs.subjects.looking import find as look

    given, more = _identities(address, also)
    seen = look(context.obj(), given, more, follow=not alone)
    if json:
        print_json(command="subject find", **seen_json(seen))
    else:
        print_seen(seen)


def export(
    context: typer.Context,
    address: Address,
    to: Annotated[Path, typer.Option("--to", help="The file, JSON lines; it must not exist.", dir_okay=False)],
    also: Also = None,
    alone: Alone = False,
    json: Json = False,
) -> None:
    """Write every row that names a person to a file. One JSON object a line."""
    from leat.runs.subjects.looking import export as write

    given, more = _identities(address, also)
    try:
        person, rows = write(context.obj(), given, to, more, follow=not alone)
    except OSError as error:
        msg = f"--to {to}: {error.strerror or error}"
        raise UsageMistake(msg) from error
    if json:
        print_json(command="subject export", file=str(to), rows=rows, identities=shown_identities(person))
    else:
        say(f"{counted(rows, 'row')} in {to}")


def erase(
    context: typer.Context,
    address: Address,
    also: Also = None,
    alone: Alone = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
    json: Json = False,
) -> None:
    """Erase a person everywhere, and prove it. Run it again if it was interrupted: it continues."""
    from leat.runs.subjects.erasing import NotErasable, plan_erasure
    from leat.runs.subjects.erasing import erase as run

    workspace: Workspace = context.obj()
    given, more = _identities(address, also)
    plan = plan_erasure(workspace, given, more, follow=not alone)
    if not json:
        print_plan(plan)
    if dry_run or not (yes or (not json and typer.confirm("Erase this person?"))):
        if json:
            print_json(command="subject erase", erased=False, plan=plan_json(plan))
        return
    try:
        report = run(workspace, plan, observe=lambda what: None if json else say(f"{what} …", style="dim"))
    except NotErasable as error:
        raise UsageMistake(str(error)) from error
    if json:
        print_json(command="subject erase", erased=report.done, plan=plan_json(plan), report=report_json(report))
    else:
        print_report(report)
    if not report.done:
        raise typer.Exit(FAILED)


def lift(
    context: typer.Context,
    address: Address,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is in the audit log.")],
    json: Json = False,
) -> None:
    """Load a person again who was erased. From the next complete listing on."""
    from leat.runs.subjects.erasing import lift as run

    lifted = run(context.obj(), _identity(address), reason)
    if json:
        print_json(command="subject lift", lifted=lifted)
    elif lifted:
        say(f"{counted(lifted, 'tombstone')} lifted; `leat reset` loads the person again at once")
    else:
        say(f"{address} isn't erased")


def hold(
    context: typer.Context,
    address: Address,
    reason: Annotated[str, typer.Option("--reason", help="Why, such as the number of a case.")],
    also: Also = None,
    alone: Alone = False,
    json: Json = False,
) -> None:
    """Put a person's data on hold. It is neither erased nor removed by retention."""
    from leat.runs.subjects.holding import hold as run

    given, more = _identities(address, also)
    placed, person = run(context.obj(), given, reason, more, follow=not alone)
    if json:
        print_json(command="subject hold", hold=placed, identities=shown_identities(person))
    else:
        say(f"on hold: {', '.join(shown_identities(person))}")


def release(context: typer.Context, address: Address, json: Json = False) -> None:
    """End the hold on a person's data."""
    from leat.runs.subjects.holding import release as run

    released, declared = run(context.obj(), _identity(address))
    if json:
        print_json(command="subject release", released=released, declared=[each.placed_by for each in declared])
    elif declared:
        places = ", ".join(each.placed_by for each in declared)
        say(("!", "yellow"), f" {address} stays on hold: {places} declares it. Next: remove it there")
    else:
        say(f"{address} isn't on hold any more" if released else f"{address} wasn't on hold")


def holds(context: typer.Context, json: Json = False) -> None:
    """List whose data is on hold, and why."""
    from leat.runs.subjects.holding import list_holds
    from leat.sources.identity import shown

    rows = list_holds(context.obj())
    if json:
        print_json(command="subject holds", holds=[{**asdict(row), "identities": list(map(shown, row.identities))}
                                                   for row in rows])  # fmt: skip
        return
    if not rows:
        say("nobody's data is on hold")
        return
    table = [(shown(row.identities[0]), row.reason, row.placed_by, minute(row.placed_at)) for row in rows]
    print_table(("person", "reason", "by", "since (UTC)"), table)


def places(json: Json = False) -> None:
    """Show where values of a person may be. Also how they are erased there, or why they can't be."""
    from leat.runs.subjects.places import PLACES

    if json:
        print_json(command="subject places", places=list(map(asdict, PLACES)))
        return
    print_table(("place", "what", "erasing", "how"), [(p.name, p.what, p.how, p.way) for p in PLACES], below=True)


def _identity(text: str) -> Identity:
    from leat.sources.identity import NoIdentity, parse_identity

    try:
        return parse_identity(text)
    except NoIdentity as error:
        raise UsageMistake(str(error)) from error


def _identities(address: str, also: list[str] | None) -> tuple[Identity, list[Identity]]:
    return _identity(address), list(map(_identity, also or ()))
