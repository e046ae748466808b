"""``leat violations`` and ``leat ack``: what doesn't fit together, and who looks after it."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from leat.cli.evidence import print_evidence
from leat.cli.lines import print_indented
from leat.cli.names import complete_rule
from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake, not_there
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.quality.violation_report import Entry, entries, matching
from leat.runs.acknowledge import acknowledge
from leat.runs.workspace import Workspace

_SHORTEST = 4
_SHOWN = 8


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(violations)
    app.command()(ack)


def violations(
    context: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Leave out resolved ones.")] = False,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only those of this rule.", autocompletion=complete_rule)
    ] = None,
    json: Json = False,
) -> None:
    """Show the violations of the rules, with their evidence."""
    workspace: Workspace = context.obj()
    found = _entries(workspace, only_open=only_open, rule=rule)
    now = datetime.now(UTC)
    if json:
        print_json(command="violations", violations=[{**asdict(entry), "state": entry.state(now)} for entry in found])
        return
    sides = _sides(workspace) if found else {}
    for entry in found:
        _print(entry, now, sides.get(entry.rule, {}))
    opened = [entry for entry in found if entry.resolved_at is None]
    acknowledged = sum(entry.state(now) == "acknowledged" for entry in opened)
    counts = f"{len(opened)} open" + (f" ({acknowledged} acknowledged)" if acknowledged else "")
    say(counts + ("" if only_open else f", {len(found) - len(opened)} resolved"))


def ack(
    context: typer.Context,
    keys: Annotated[list[str], typer.Argument(help="Ids of violations, or their first characters.")],
    by: Annotated[str | None, typer.Option("--by", help="Who takes care of it; default: you.")] = None,
    until: Annotated[
        str, typer.Option("--until", help="A date, a time with zone, or a duration such as P7D or PT4H.")
    ] = "P7D",
    note: Annotated[str, typer.Option("--note", help="What is being done about it.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Withdraw the acknowledgement.")] = False,
    json: Json = False,
) -> None:
    """Acknowledge violations. Say who takes care of them, and until when there are no more alerts about them."""
    workspace: Workspace = context.obj()
    chosen = _chosen(_entries(workspace, only_open=False, rule=None), keys)
    who, end = (None, None) if undo else (by or getpass.getuser(), _time(until, datetime.now(UTC)))
    acknowledge(workspace, [entry.key for entry in chosen], who, end, "" if undo else note)
    if json:
        print_json(command="ack", violations=[entry.key for entry in chosen], by=who, until=end, note=note or None)
        return
    for entry in chosen:
        what = "no longer acknowledged" if undo else f"acknowledged by {who} until {minute(end)} UTC"
        say(f"{entry.key[:_SHOWN]} {entry.rule}: {what}")


def _entries(workspace: Workspace, *, only_open: bool, rule: str | None) -> list[Entry]:
    with workspace.warehouse.snapshot() as session:
        found = entries(session, only_open=only_open, rule=rule)
    rules = workspace.project.folder / "quality" / "rules"
    if rule is not None and not found and not (rules / f"{rule}.sql").exists():
        listed = sorted(path.stem for path in rules.glob("*.sql"))
        msg = not_there(f"there is no rule {rule!r}, and no violation of one", rule, listed, "rules")
        raise UsageMistake(msg)
    return found


def _chosen(found: Sequence[Entry], keys: Sequence[str]) -> list[Entry]:
    chosen: dict[str, Entry] = {}
    for prefix in keys:
        hits = matching(found, prefix) if len(prefix) >= _SHORTEST else []
        if len(hits) != 1:
            what = (
                f"{len(hits)} violations begin with {prefix!r}" if len(prefix) >= _SHORTEST else f"{prefix!r} is short"
            )
            msg = f"{what}; give more of the id that `leat violations` shows"
            raise UsageMistake(msg)
        chosen[hits[0].key] = hits[0]
    return list(chosen.values())


def _time(text: str, now: datetime) -> datetime:
    from leat.pipelines.declare.declaration import duration

    try:
        end: datetime = now + duration(text) if text.startswith("P") else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        msg = f"--until {text!r} is neither a date, a time nor a duration such as P7D"
        raise UsageMistake(msg) from error
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if not now < end <= now + timedelta(days=3660):
        msg = f"--until {text!r} is not in the next ten years"
        raise UsageMistake(msg)
    return end


def _print(entry: Entry, now: datetime, sides: Mapping[str, Sequence[str]]) -> None:
    state = entry.state(now)
    colour = {"open": "red" if entry.severity == "error" else "yellow", "flapping": "magenta"}.get(state, "dim")
    words = {
        "open": f"since {minute(entry.opened_at)} UTC",
        "acknowledged": f"by {entry.acknowledged_by} until {minute(entry.acknowledged_until)} UTC",
        "flapping": f"{entry.episodes} times since {minute(entry.first_seen_at)} UTC",
        "resolved": f"{minute(entry.first_seen_at)} to {minute(entry.resolved_at)} UTC",
    }
    say((entry.key[:_SHOWN], "bold"), " ", (state, colour), f" {entry.severity} {entry.rule}, {words[state]}")
    print_indented("  ", entry.title + (f" ({entry.owner})" if entry.owner else ""))
    if state == "open" and entry.next_step:
        print_indented("  next: ", entry.next_step)
    if entry.acknowledged_note and state == "acknowledged":
        print_indented("  note: ", entry.acknowledged_note)
    print_evidence(entry.evidence, sides)
    say()


def _sides(workspace: Workspace) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the sides that each rule declares; none while a file has a mistake, which `leat check` reports."""
    from leat.quality.rule_files import read_rules

    models = sorted(path.stem for path in (workspace.project.folder / "assets" / "models").glob("*.sql"))
    try:
        return {rule.name: rule.sides for rule in read_rules(workspace.project, workspace.declarations, tuple(models))}
    except DeclarationError:
        return {}


def print_summary(found: Sequence[Entry], since: datetime) -> None:
    """Print how many violations each rule has, errors first; nothing when there are none."""
    from leat.quality.violation_report import summaries

    now = datetime.now(UTC)
    told = summaries(found, since, now)
    if not told:
        return
    resolved = sum(entry.resolved_at is not None and entry.resolved_at >= since for entry in found)
    rows = [(s.rule, s.open, s.new or None, s.acknowledged or None, s.severity, s.owner, s.title) for s in told]
    say()
    print_table(("rule", "open", "new", "acknowledged", "severity", "owner", "what must be true"), rows, below=True)
    number = counted(sum(s.open for s in told), "open violation")
    ended = f", {resolved} resolved by this run" if resolved else ""
    say(f"{number} of {counted(len(told), 'rule')}{ended}: `leat violations --open` shows the evidence")
