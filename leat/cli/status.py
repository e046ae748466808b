"""``leat status``: what is loaded, how fresh it is, how the last runs ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import typer

from leat.cli.outcome import counted_records, drift_json, print_drift
from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.runs.publish import describe_forced, describe_withheld
from leat.runs.status import IntegrationStatus, Status, read_status
from leat.runs.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(status)


def status(context: typer.Context, json: Json = False) -> None:
    """Show what is loaded and how fresh it is. Also how the last runs ended, and what is withheld from readers."""
    workspace: Workspace = context.obj()
    found = read_status(workspace)
    if json:
        _print_as_json(found)
        return
    _print_integrations(found.integrations)
    say()
    _print_streams(found.integrations)
    for each in found.integrations:
        if each.error:
            say("\n", ("✗", "red"), f" {each.error}")
    _print_publications(found)
    if found.drift:
        say()
        print_drift(found.drift, dated=True)
    quarantined = [(f"{i.integration}.{s.stream}", s.quarantined) for i in found.integrations for s in i.streams]
    if any(count for _, count in quarantined):
        say()
        for name, count in quarantined:
            if count:
                say(("!", "yellow"), f" {name}: {counted_records(count)} quarantined")
        say("  `leat quarantine --reasons` says why")
    if found.violations:
        say(f"\n{counted(found.violations, 'open violation')}: `leat violations --open` shows them")


def _print_integrations(integrations: Sequence[IntegrationStatus]) -> None:
    rows = [
        (
            each.integration,
            minute(each.last_run) or None,
            each.last_status and each.last_status.replace("_", " "),
            each.schedule,
            each.source.removeprefix(f"{each.integration}/"),
        )
        for each in integrations
    ]
    print_table(("integration", "last run (UTC)", "ended", "schedule", "driver"), rows)


def _print_streams(integrations: Sequence[IntegrationStatus]) -> None:
    rows = [
        (f"{each.integration}.{s.stream}", s.rows, minute(s.last_load) or None, s.fresh, s.deletes)
        for each in integrations
        for s in each.streams
    ]
    print_table(("stream", "rows", "last changed (UTC)", "fresh", "deletes"), rows)


def _print_as_json(found: Status) -> None:
    publication: dict[str, Any] = {
        "withheld": None if found.withheld is None else found.withheld.data,
        "forced": [{"at": each.at, "by": each.by, **each.data} for each in found.forced],
        "blocked": [{"integration": name, "since": at} for name, at in found.blocked.items()],
    }
    print_json(
        command="status",
        integrations=[asdict(each) for each in found.integrations],
        violations=found.violations,
        drift=drift_json(found.drift),
        publication=publication,
    )


def _print_publications(found: Status) -> None:
    """Print why readers don't have the newest version, since when, and what to do next."""
    if found.withheld is not None:
        say("\n", ("not published", "red"), f": {describe_withheld(found.withheld)}")
    declared = {each.integration for each in found.integrations}
    for name, since in found.blocked.items():
        if name in declared:
            say("\n", ("not loaded", "red"), f": {_describe_blocked(name, since)}")
    for forced in found.forced:
        say("\n", ("forced", "yellow"), f": {describe_forced(forced)}")


def _describe_blocked(name: str, since: datetime) -> str:
    return (
        f"{name}, whose own checks have failed since {since:%Y-%m-%d %H:%M:%S} UTC; readers stay on its old rows. "
        f"Next: correct the data or the check and run again, or `leat publish --force {name} --reason '…'`"
    )
