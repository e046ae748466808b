"""``leat violations`` and ``leat ack``: what doesn't fit together, and who looks after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.evidence import print_evidence
from leat.cli.lines import print_indented
from leat.cli.names import complete_rule
from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake, not_there
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.quality.violation_report import Entry, entries, matching
from leat.runs.access import Resource, require
from leat.runs.acknowledge import acknowledge, current_user
from leat.runs.reveal import Reveal
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.acting import ActionRow

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
    from leat.runs.acting import open_actions_by_violation

    workspace: Workspace = context.obj()
    listed = _entries(workspace, only_open=only_open, rule=rule)
    now = datetime.now(UTC)
    actions = open_actions_by_violation(workspace, {entry.key for entry in listed}) if listed else {}
    if json:
        shown = [_as_json(entry, now, actions.get(entry.key, ())) for entry in listed]
        print_json(command="violations", violations=shown)
        return
    sides = _sides(workspace) if listed else {}
    for entry in listed:
        _print(entry, now, sides.get(entry.rule, {}), actions.get(entry.key, ()))
    opened = [entry for entry in listed if entry.resolved_at is None]
    acknowledged = sum(entry.state(now) == "acknowledged" for entry in opened)
    counts = f"{len(opened)} open" + (f" ({acknowledged} acknowledged)" if acknowledged else "")
    say(counts + ("" if only_open else f", {len(listed) - len(opened)} resolved"))


def ack(
    context: typer.Context,
    keys: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of violations, or their first characters.")],
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
    require(workspace, "acknowledge", [Resource("violation", entry.rule) for entry in chosen])
    who, end = (None, None) if undo else (by or current_user(), _time(until, datetime.now(UTC)))
    acknowledge(workspace, [entry.key for entry in chosen], who, end, "" if undo else note)
    if json:
        print_json(command="ack", violations=[entry.key for entry in chosen], by=who, until=end, note=note or None)
        return
    for entry in chosen:
        what = "no longer acknowledged" if undo else f"acknowledged by {who} until {minute(end)} UTC"
        say(f"{entry.key[:_SHOWN]} {entry.rule}: {what}")


def _as_json(entry: Entry, now: datetime, actions: Sequence[ActionRow]) -> dict[str, Any]:
    names = ("id", "integration", "verb", "state", "title", "reason", "automation", "created_at", "expires_at")
    under_way = [{name: getattr(row, name) for name in names} for row in actions]
    return {**asdict(entry), "state": entry.state(now), "actions": under_way}


def _entries(workspace: Workspace, *, only_open: bool, rule: str | None) -> list[Entry]:
    with workspace.warehouse.snapshot() as session:
        chosen = [_revealed(workspace, each) for each in entries(session, only_open=only_open, rule=rule)]
    rules = workspace.project.folder / "quality" / "rules"
    if rule is not None and not chosen and not (rules / f"{rule}.sql").exists():
        listed = sorted(path.stem for path in rules.glob("*.sql"))
        msg = not_there(f"there is no rule {rule!r}, and no violation of one", rule, listed, "rules")
        raise UsageMistake(msg)
    return chosen


def _revealed(workspace: Workspace, entry: Entry) -> Entry:
    return replace(entry, evidence=Reveal(workspace, (Resource("violation", entry.rule),)).row(entry.evidence or {}))


def _chosen(listed: Sequence[Entry], keys: Sequence[str]) -> list[Entry]:
    chosen: dict[str, Entry] = {}
    for prefix in keys:
        hits = matching(listed, prefix) if len(prefix) >= _SHORTEST else []
        if len(hits) != 1:
            raise UsageMistake(_not_one(prefix, len(hits)))
        chosen[hits[0].key] = hits[0]
    return list(chosen.values())


def _not_one(prefix: str, hits: int) -> str:
    if len(prefix) < _SHORTEST:
        return f"{prefix!r} is too short; give at least {_SHORTEST} characters of an id that `leat violations` shows"
    if not hits:
        return f"no violation has an id that begins with {prefix!r}; `leat violations` lists them"
    return f"the ids of {hits} violations begin with {prefix!r}; give more characters"


def _time(text: str, now: datetime) -> datetime:
    from leat.pipelines.declare.values import duration

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


def _print(entry: Entry, now: datetime, sides: Mapping[str, Sequence[str]], actions: Sequence[ActionRow]) -> None:
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
    for row in actions:
        print_indented("  action: ", f"{row.id[:8]} {row.state}: {row.title}{_what_to_do(row)}")
    print_evidence(entry.evidence, sides)
    say()


def _what_to_do(row: ActionRow) -> str:
    if row.state in ("planned", "held"):
        return f"; `leat actions approve {row.id[:8]}` sends it"
    return f"; `leat actions show {row.id[:8]}` says what to look for" if row.state == "asking" else ""


def _sides(workspace: Workspace) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the sides that each rule declares; none while a file has a mistake, which `leat check` reports."""
    from leat.quality.rule_files import read_rules

    models = sorted(path.stem for path in (workspace.project.folder / "assets" / "models").glob("*.sql"))
    try:
        return {rule.name: rule.sides for rule in read_rules(workspace.project, workspace.declarations, tuple(models))}
    except DeclarationError:
        return {}


def print_summary(listed: Sequence[Entry], since: datetime) -> None:
    """Print how many violations each rule has, errors first; nothing when there are none."""
    from leat.quality.violation_report import summaries

    now = datetime.now(UTC)
    rules = summaries(listed, since, now)
    if not rules:
        return
    resolved = sum(entry.resolved_at is not None and entry.resolved_at >= since for entry in listed)
    rows = [(s.rule, s.open, s.new or None, s.acknowledged or None, s.severity, s.owner, s.title) for s in rules]
    say()
    print_table(("rule", "open", "new", "acknowledged", "severity", "owner", "what must be true"), rows, below=True)
    number = counted(sum(s.open for s in rules), "open violation")
    seen = sum(s.acknowledged for s in rules)
    number += f" ({seen} acknowledged)" if seen else ""
    ended = f", {resolved} resolved by this run" if resolved else ""
    say(f"{number} of {counted(len(rules), 'rule')}{ended}: `leat violations --open` shows the evidence")
