"""``leat logs``: what happened to the integrations, from the log in the control store."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.names import complete_integration
from leat.cli.output import Json, cell_text, evidence_text, print_json, say
from leat.cli.times import read_past
from leat.cli.usage import UsageMistake, not_there
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.control.log_entries import LogEntry

_POLL = 1.0  # seconds between two looks with --follow
_CHANGES = ("inserted", "updated", "deleted", "quarantined")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(logs)


def logs(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Only this integration.", autocompletion=complete_integration)
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
    from leat.control.log_entries import log_entries, logged_names

    if follow and json:
        msg = "--follow doesn't go with --json, which prints one object"
        raise UsageMistake(msg)
    workspace: Workspace = context.obj()
    start = None if since is None else read_past(since, "--since")
    names, events = logged_names(workspace.store)
    names = sorted({*names, *workspace.declarations})
    if name is not None and name not in names:
        raise UsageMistake(not_there(f"there is no integration {name!r}", name, names, "there are"))
    if event is not None and event not in events:
        raise UsageMistake(not_there(f"the log has no event {event!r}", event, events, "it has"))
    found = log_entries(workspace.store, integration=name, event=event, since=start, limit=limit)
    if json:
        print_json(command="logs", entries=[asdict(entry) for entry in found])
        return
    _print(found)
    if not found and not follow:
        say("nothing is logged")
    last = found[-1].id if found else 0
    while follow:
        sys.stdout.flush()
        time.sleep(_POLL)
        found = log_entries(workspace.store, integration=name, event=event, since=start, after=last, limit=limit)
        _print(found)
        last = found[-1].id if found else last


def _print(found: Sequence[LogEntry]) -> None:
    colours = {"run_failed": "red", "run_blocked": "red", "run_busy": "yellow"}
    for entry in found:
        event = (entry.event, colours.get(entry.event, ""))
        say((cell_text(entry.at), "dim"), f" {entry.integration} ", event, f" {_describe(entry.data)}", whole=True)


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
