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
    current = read_status(workspace)
    if json:
        _print_as_json(current)
        return
    _print_integrations(current.integrations)
    say()
    _print_streams(current.integrations)
    for each in current.integrations:
        if each.error:
            say("\n", ("✗", "red"), f" {each.error}")
    _print_publications(current)
    if current.drift:
        say()
        print_drift(current.drift, dated=True)
    quarantined = [(f"{i.integration}.{s.stream}", s.quarantined) for i in current.integrations for s in i.streams]
    if any(count for _, count in quarantined):
        say()
        for name, count in quarantined:
            if count:
                say(("!", "yellow"), f" {name}: {counted_records(count)} quarantined")
        say("  `leat quarantine --reasons` says why")
    if current.violations:
        acknowledged = f" ({current.acknowledged} acknowledged)" if current.acknowledged else ""
        say(f"\n{counted(current.violations, 'open violation')}{acknowledged}: `leat violations --open` shows them")
    if current.actions:
        under_way = current.actions - current.waiting
        said = [counted(current.waiting, "action") + " waiting for approval"] if current.waiting else []
        said += [counted(under_way, "action") + " under way"] if under_way else []
        say(f"{', '.join(said)}: `leat actions` lists them")
    if current.undelivered:
        failing = ", ".join(current.undelivered)
        say(("✗", "red"), f" alerts can't be delivered to {failing}: `leat alerts` says why")


def _print_integrations(integrations: Sequence[IntegrationStatus]) -> None:
    rows = [
        (
            each.integration,
            minute(each.last_run) or None,
            each.last_status and each.last_status.replace("_", " "),
            each.schedule and (each.schedule if each.zone == "UTC" else f"{each.schedule} {each.zone}"),
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


def _print_as_json(current: Status) -> None:
    publication: dict[str, Any] = {
        "withheld": None if current.withheld is None else current.withheld.data,
        "forced": [{"at": each.at, "by": each.by, **each.data} for each in current.forced],
        "blocked": [{"integration": name, "since": at} for name, at in current.blocked.items()],
    }
    print_json(
        command="status",
        integrations=[asdict(each) for each in current.integrations],
        violations=current.violations,
        acknowledged=current.acknowledged,
        actions=current.actions,
        undelivered_alerts=current.undelivered,
        waiting=current.waiting,
        drift=drift_json(current.drift),
        publication=publication,
    )


def _print_publications(current: Status) -> None:
    """Print why readers don't have the newest version, since when, and what to do next."""
    if current.withheld is not None:
        say("\n", ("not published", "red"), f": {describe_withheld(current.withheld)}")
    declared = {each.integration for each in current.integrations}
    for name, since in current.blocked.items():
        if name in declared:
            say("\n", ("not loaded", "red"), f": {_describe_blocked(name, since)}")
    for forced in current.forced:
        say("\n", ("forced", "yellow"), f": {describe_forced(forced)}")


def _describe_blocked(name: str, since: datetime) -> str:
    return (
        f"{name}, whose own checks have failed since {since:%Y-%m-%d %H:%M:%S} UTC; readers stay on its old rows. "
        f"Next: correct the data or the check and run again, or `leat publish --force {name} --reason '…'`"
    )
