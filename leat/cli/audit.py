"""``leat audit``: the audit log; verify it, write checkpoints, send it, export it.

Exit codes of verify: 0 intact, 3 altered, 4 truncated, 5 forked.
"""

from __future__ import annotations

import enum
import json as jsonlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leat.cli.output import Json, counted, mark_of, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake
from leat.runs.access import Resource, require
from leat.runs.workspace import Workspace
from leat.sources.errors import NotConfigured

_CODES = {"intact": 0, "altered": 3, "truncated": 4, "forked": 5}


class Format(enum.StrEnum):
    """Forms of an export."""

    ocsf = "ocsf"


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show, verify and export the audit log.")
    group.callback()(show_last)
    for command in (list_, verify, checkpoint, send, export, forget):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="audit")


def show_last(context: typer.Context, json: Json = False) -> None:
    """Show the last events."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def list_(
    context: typer.Context,
    event: Annotated[
        str | None, typer.Option("--event", help="Only this event, or those that begin so: token. for all of tokens.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many.")] = 50,
    json: Json = False,
) -> None:
    """List events, the newest first."""
    from leat.security.audit.chain import list_events

    workspace = _open(context)
    rows = list_events(workspace.store, limit=limit, event=event)
    if json:
        print_json(command="audit", events=list(map(asdict, rows)))
        return
    if not rows:
        say("no events")
        return
    table = [(r.seq, f"{r.at:%Y-%m-%d %H:%M:%S}", r.event, r.by, jsonlib.dumps(r.detail)) for r in rows]
    print_table(("seq", "at (UTC)", "event", "by", "detail"), table, below=True)
    say(counted(len(rows), "event"))


def verify(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Option("--checkpoint", help="File of checkpoints; the declared one if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify the audit log. Exit codes: 0 intact, 3 altered, 4 truncated, 5 forked."""
    from leat.runs.auditing import verify as verify_log

    workspace = _open(context)
    if file is None:
        _declared(workspace)
    verdict = verify_log(workspace, file)
    if json:
        print_json(command="audit verify", verdict=asdict(verdict))
    else:
        say(mark_of(verdict.finding == "intact"), f" {verdict.finding}: {verdict.text}")
        if verdict.finding == "intact":
            compared = counted(verdict.checkpoints, "checkpoint")
            say(
                f"compared with {compared}"
                if verdict.checkpoints
                else "no checkpoint to compare with: leat can't notice if the last events are missing"
            )
    if verdict.finding != "intact":
        raise typer.Exit(_CODES[verdict.finding])


def checkpoint(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Option("--to", help="File that it is appended to; the declared one if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Append a signed checkpoint of the log to a file."""
    from leat.runs.access import checkpoint as write_checkpoint

    workspace = _open(context)
    path = file or _declared(workspace)
    if path is None:
        msg = "name the file: --to FILE, or declare audit.checkpoints in a file in policies/"
        raise UsageMistake(msg)
    try:
        made = write_checkpoint(workspace, [path])
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}"
        raise UsageMistake(msg) from error
    if json:
        print_json(command="audit checkpoint", checkpoint=None if made is None else asdict(made), file=str(path))
    else:
        say("the log is empty" if made is None else f"checkpoint at event {made.seq} appended to {path}")


def send(context: typer.Context, json: Json = False) -> None:
    """Send new events to the declared system."""
    from leat.runs.access import send_audit
    from leat.security.audit.chain import seal

    workspace = _open(context)
    require(workspace, "export", Resource("audit"))
    if workspace.security.audit is None or workspace.security.audit.send_to is None:
        msg = "name the system under audit.send_to in a file in policies/"
        raise UsageMistake(msg)
    seal(workspace.store)
    sent = send_audit(workspace)
    count, url = sent or (0, "")
    if json:
        print_json(command="audit send", sent=count)
    else:
        say(f"{counted(count, 'event')} sent to {url}")


def export(
    context: typer.Context,
    form: Annotated[Format, typer.Option("--format", help="OCSF 1.4, one JSON object a line.")] = Format.ocsf,
) -> None:
    """Print all events for another system."""
    from leat.runs import auditing

    for event in auditing.export(_open(context), form.value):
        sys.stdout.write(jsonlib.dumps(event, ensure_ascii=False) + "\n")


def forget(
    context: typer.Context,
    identity: Annotated[
        str, typer.Argument(metavar="PERSON", help="Identity of the person, such as local:ada or person_….")
    ],
    json: Json = False,
) -> None:
    """Remove a person's name from the log. The log remains valid and has only the pseudonym."""
    from leat.security.audit.chain import forget as forget_person

    workspace: Workspace = context.obj()
    require(workspace, "administer", Resource("audit"))
    forgotten = forget_person(workspace.store, identity)
    if json:
        print_json(command="audit forget", forgotten=forgotten)
    else:
        say(f"the log no longer has the name of {identity}" if forgotten else f"the log has no name of {identity}")


def _open(context: typer.Context) -> Workspace:
    workspace: Workspace = context.obj()
    require(workspace, "read", Resource("audit"))
    return workspace


def _declared(workspace: Workspace) -> Path | None:
    from leat.runs.access import checkpoint_file

    try:
        return checkpoint_file(workspace)
    except NotConfigured as error:
        raise UsageMistake(str(error)) from error
