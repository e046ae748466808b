"""``leat logs``: what happened to the integrations, from the log in the control store."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from leat.cli.names import complete_integration
from leat.cli.output import Json, cell_text, evidence_text, print_json, say
from leat.cli.times import read_past
from leat.cli.usage import UsageMistake, not_there
from leat.runs.history import logged_names, read_log
from leat.runs.workspace import Workspace

_POLL = 1.0  # seconds between two looks with --follow
_COLOURS = {"run_failed": "red", "run_blocked": "red", "run_busy": "yellow"}
_CHANGES = ("inserted", "updated", "deleted", "quarantined")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(logs)


def logs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this integration.", autocompletion=complete_integration)
    ] = None,
    event: Annotated[str | None, typer.Option("--event", help="Only this event, such as run_failed.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="From a date or time (UTC) on, or for a duration such as P1D.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many entries.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for new entries; ends with Ctrl+C.")] = False,
    json: Json = False,
) -> None:
    """Show the log of the integrations. It has each run that changed something or failed."""
    if follow and json:
        msg = "--follow doesn't go with --json, which prints one object"
        raise UsageMistake(msg)
    workspace: Workspace = context.obj()
    start = None if since is None else read_past(since, "--since")
    names, events = logged_names(workspace)
    if name is not None and name not in names:
        raise UsageMistake(not_there(f"the log has no integration {name!r}", name, names, "it has"))
    if event is not None and event not in events:
        raise UsageMistake(not_there(f"the log has no event {event!r}", event, events, "it has"))
    entries = read_log(workspace, integration=name, event=event, since=start, limit=limit)
    if json:
        print_json(command="logs", entries=[asdict(entry) for entry in entries])
        return
    for entry in entries:
        _print(entry.at, entry.integration, entry.event, entry.data)
    if not entries and not follow:
        say("nothing is logged")
    last = entries[-1].id if entries else 0
    while follow:
        sys.stdout.flush()
        time.sleep(_POLL)
        entries = read_log(workspace, integration=name, event=event, since=start, after=last, limit=limit)
        for entry in entries:
            _print(entry.at, entry.integration, entry.event, entry.data)
        last = entries[-1].id if entries else last


def _print(at: datetime, integration: str, event: str, data: Any) -> None:
    coloured = (event, _COLOURS.get(event, ""))
    say((cell_text(at), "dim"), f" {integration} ", coloured, f" {_describe(data)}", whole=True)


def _describe(data: Any) -> str:
    """Return the data of an entry in one line: an error first, the counts of all streams, then the rest."""
    if not isinstance(data, Mapping):
        return cell_text(data)
    rest = {name: value for name, value in data.items() if name not in ("error", "error_type", "rows")}
    parts = [f"{data.get('error_type', 'Error')}: {data['error']}"] if "error" in data else []
    rows: Mapping[str, Sequence[int]] = data.get("rows") or {}
    sums = [sum(counts) for counts in zip(*rows.values(), strict=True)]
    parts += [f"{what} {count:,}" for what, count in zip(_CHANGES, sums, strict=False) if count]
    return cell_text(", ".join([*parts, evidence_text(rest)] if rest else parts))
