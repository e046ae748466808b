"""``leat alerts``: open problems and what was sent; ``leat alerts test`` tries the channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.names import complete_channel
from leat.cli.output import Json, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import FAILED, UsageMistake, not_there
from leat.runs.history import open_problems, recent_alerts
from leat.runs.notify import try_channels
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.quality.alerts.announce import Sent
    from leat.quality.alerts.declaration import Alerts, Channel

_MESSAGES = 20
_NONE = "no alerts are declared; declare channels in quality/alerts.yaml, as leat's docs/alerts.md shows"


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show open problems, and the alerts sent for them.")
    group.callback()(show)
    group.command("test")(test)
    app.add_typer(group, name="alerts")


def show(context: typer.Context, json: Json = False) -> None:
    """Show open problems, and the alerts sent for them."""
    if context.invoked_subcommand is not None:
        return
    workspace: Workspace = context.obj()
    channels = _channels(_declared(workspace))
    lasting = open_problems(workspace)
    sent = recent_alerts(workspace, _MESSAGES)
    if json:
        problems = [
            {"kind": p.kind, "subject": p.subject, "title": p.title, "severity": p.severity, "since": p.seen_at,
             "sent_to": sorted(name for name, notice in p.notices.items() if notice.what != "recovered")}
            for p in lasting
        ]  # fmt: skip
        notice = [{name: getattr(message, name) for name in _FIELDS} for message in sent]
        print_json(command="alerts", channels=channels, problems=problems, messages=notice)
        return
    for channel in channels:
        say(f"channel {channel['channel']}: {channel['state']}")
    sent_to = [", ".join(n for n, notice in p.notices.items() if notice.what != "recovered") or None for p in lasting]
    rows = [(p.severity, p.kind, p.subject, minute(p.seen_at), to, p.title)
            for p, to in zip(lasting, sent_to, strict=True)]  # fmt: skip
    columns = ("severity", "kind", "subject", "noticed (UTC)", "sent to", "problem")
    _print_list(columns, rows, "Open problems")
    columns = ("created (UTC)", "channel", "status", "attempts", "sent (UTC)", "title")
    shown = [(minute(m.created_at), m.channel, m.status, m.attempts, minute(m.sent_at) or None,
              m.title if m.error is None else f"{m.title}: {m.error}") for m in sent]  # fmt: skip
    _print_list(columns, shown, "Messages, the newest first")


def _print_list(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> None:
    if rows:
        print_table(columns, rows, title=f"\n{title}", below=True)
    else:
        say(f"\n{title}: none")


_FIELDS = ("id", "created_at", "channel", "title", "status", "attempts", "sent_at", "next_at", "error")


def test(
    context: typer.Context,
    channel: Annotated[
        str | None,
        typer.Argument(
            metavar="CHANNEL", help="The channel; all that are on if none is given.", autocompletion=complete_channel
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Send a test message to a channel. Reports whether the channel accepted it."""
    workspace: Workspace = context.obj()
    alerts = _declared(workspace)
    if channel is not None and channel not in alerts.channels:
        raise UsageMistake(not_there(f"no channel {channel!r} is declared", channel, alerts.channels, "declared"))
    names = [channel] if channel else [name for name, each in alerts.channels.items() if not each.is_off]
    done = try_channels(workspace, alerts, names)
    if json:
        print_json(command="alerts test", ok=all(each.error is None for each in done), sent=list(map(asdict, done)))
    else:
        print_sent(done)
        for name in alerts.channels.keys() - {each.channel for each in done} if channel is None else ():
            say(f"- {name}: off, {alerts.channels[name].variable} is not set")
    if any(each.error for each in done):
        raise typer.Exit(FAILED)


def print_sent(sent: Sequence[Sent]) -> None:
    """Print which messages were sent, and why others failed."""
    for each in sent:
        if each.error is None:
            say(("✓", "green"), f" alert sent to {each.channel}: {each.title.removeprefix('leat: ')}")
        else:
            say(("✗", "red"), f" {each.channel}: {each.error}")


def _declared(workspace: Workspace) -> Alerts:
    from leat.quality.alerts.file import load_alerts

    alerts = load_alerts(workspace.project, workspace.declarations)
    if alerts is None:
        raise UsageMistake(_NONE)
    return alerts


def _channels(alerts: Alerts) -> list[dict[str, Any]]:
    return [{"channel": n, "state": _off(each) if each.is_off else "on"} for n, each in alerts.channels.items()]


def _off(channel: Channel) -> str:
    """Return why nothing is sent to a channel."""
    return f"off, its {'variable' if channel.url is None or channel.url.env else 'secret'} is not set"
