"""What ``leat act`` and ``leat actions`` print: plans, what became of actions, and what can be done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import typer

from leat.cli.lines import print_indented
from leat.cli.output import counted, minute, print_json, say
from leat.cli.tables import field_text, print_fields, print_table
from leat.cli.usage import FAILED, UsageMistake
from leat.runs.workspace import Workspace
from leat.sources.actions import GUARANTEES

if TYPE_CHECKING:
    from leat.runs.acting import Acted, ActionRow, NewAction
    from leat.sources.actions import Verb

PATIENCE = 30.0
"""Seconds that a command stays for what it has sent."""
START = "leat actions start"
"""The command that ends a stop."""
_SHORTEST = 4
_CHANGES = 5
"""How many changes of an action are shown where there are several actions."""
_GOOD = frozenset({"done", "confirmed", "approved", "cancelled", "rejected", "undone", "planned"})


def report(
    acted: Acted, ids: set[str], command: str, *, as_json: bool, refused: Mapping[str, str] | None = None
) -> None:
    """Print what became of some actions, and exit with 1 when one of them went wrong.

    ``refused`` says by id why others were not decided on, for JSON.
    """
    rows = [row for row in acted.actions if row.id in ids]
    if as_json:
        actions = [asdict(row) | {"shown": acted.shown.get(row.id, {})} for row in rows]
        print_json(command=command, actions=actions, problems=acted.problems, refused=refused or {})
    else:
        print_acted(replace(acted, actions=rows))
    if acted.problems or any(row.state not in _GOOD for row in rows):
        raise typer.Exit(FAILED)


def add_unsent(workspace: Workspace, acted: Acted, ids: Collection[str], *, as_json: bool) -> None:
    """Add approved actions that weren't sent: they aren't due, or a kill switch is on, which is printed.

    Args:
        workspace: the project.
        acted: what was sent.
        ids: all that were approved.
        as_json: whether to print nothing.
    """
    from leat.runs.acting import actions_by_id, kill_switches

    unsent = actions_by_id(workspace, set(ids) - {row.id for row in acted.actions})
    acted.actions += unsent
    scopes = {scope for row in unsent for scope in ("*", row.integration, f"automation/{row.automation}")}
    for each in kill_switches(workspace) if scopes and not as_json else ():
        if each.scope in scopes:
            command = START if each.scope == "*" else f"{START} {each.scope}"
            say(("stopped", "red"), f": {each.stopped_by} has stopped sending; `{command}` ends that")


def print_acted(acted: Acted) -> None:
    """Print what became of actions, and what may be shown only now."""
    for row in acted.actions:
        print_outcome(row)
        for name, value in acted.shown.get(row.id, {}).items():
            say(f"  {name}: {value}", whole=True)
    for name, problem in acted.problems.items():
        say(("✗", "red"), f" {name}: {problem}")


def print_outcome(row: ActionRow) -> None:
    """Print in a line or two how an action is."""
    mark = ("✓", "green") if row.state in ("confirmed", "undone") else ("✗", "red") if row.state not in _GOOD else "·"
    say(mark, f" {row.integration}.{row.verb} {row.id[:8]} {row.state}: {row.title}")
    if row.reason and row.state not in ("confirmed",):
        when = f"; next attempt {minute(row.next_at)} UTC" if row.state in ("approved", "unknown") else ""
        say(f"  {row.reason}{when}", style="dim")
    if row.state == "asking":
        say(f"  see in {row.integration} whether it happened, then say so:")
        say(f"  leat actions resolve {row.id[:8]} --happened (or --not-happened)")


def print_plan(planned: NewAction | ActionRow, undo: str) -> None:
    """Print what an action would do."""
    plan = planned.plan
    say((f"{planned.integration}.{planned.verb}", "bold"), f": {planned.title}")
    for what, before, after in plan["changes"]:
        if before is None and isinstance(after, str) and "\n" in after.strip():
            say(f"  {what}:", whole=True)
            for line in after.strip().splitlines():  # a mail, as its reader sees it
                print_indented("    ", line)
        else:
            say(f"  {what}: {field_text(before)} → {field_text(after)}", whole=True)
    facts = {
        "acts on": planned.target,
        "noticed by": ", ".join(plan["people"]) or None,
        "guarantee": f"{planned.guarantee}: {GUARANTEES[planned.guarantee]}",
        "undo": undo,
        "not before": None if planned.not_before is None else f"{minute(planned.not_before)} UTC",
        "expires": f"{minute(planned.expires_at)} UTC",
    }
    stated = {name: value for name, value in facts.items() if value is not None}
    print_fields(list(stated), list(stated.values()))
    for warning in plan["warnings"]:
        say(("warning", "yellow"), f": {warning}")


def print_brief(row: ActionRow) -> None:
    """Print in a few lines what an action would do, for whoever decides on several at once."""
    money = (" (moves money)", "yellow") if row.money else ""
    say((f"{row.integration}.{row.verb}", "bold"), f" {row.id[:8]}: {row.title}", money)
    changes = row.plan["changes"]
    for what, before, after in changes[:_CHANGES]:
        say(f"  {what}: {field_text(before)} → {field_text(after)}")
    if len(changes) > _CHANGES:
        say(f"  and {counted(len(changes) - _CHANGES, 'more change')}: `leat actions show {row.id[:8]}`")
    if row.plan["people"]:
        say(f"  noticed by: {', '.join(row.plan['people'])}")
    for warning in row.plan["warnings"]:
        say("  ", ("warning", "yellow"), f": {warning}")


def print_verbs(workspace: Workspace, *, as_json: bool) -> None:
    """Print what leat can do on the declared systems."""
    from leat.sources.actions import actor_of

    rows = []
    for name, declared in workspace.declarations.items():
        actor = actor_of(declared.source, declared.driver, declared.connection)
        for verb, _ in (actor.actions if actor else {}).values():
            rows.append((name, verb))
    if as_json:
        fields = ("name", "description", "guarantee", "needs", "undo", "money")
        verbs = [
            {"integration": name, **{each: getattr(verb, each) for each in fields},
             "parameters": verb.parameters.model_json_schema()}
            for name, verb in rows
        ]  # fmt: skip
        print_json(command="actions verbs", verbs=verbs)
        return
    if not rows:
        say("leat can't act on any of the declared systems")
        return
    columns = ("verb", "guarantee", "what it does, and its parameters")
    table = [
        (
            f"{name}.{verb.name}",
            verb.guarantee,
            f"{verb.description} Parameters: {', '.join(verb.parameters.model_fields)}.",
        )
        for name, verb in rows
    ]
    print_table(columns, table, below=True)
    say(f"{counted(len(rows), 'verb')}; `leat actions verbs NAME.VERB` shows the parameters of one")


def print_verb(name: str, verb: Verb) -> None:
    """Print what a verb does, what it needs, and its parameters."""
    say((name, "bold"), f": {verb.description}")
    facts = {"guarantee": f"{verb.guarantee}: {GUARANTEES[verb.guarantee]}", "needs": verb.needs, "undo": verb.undo,
             "approval": "a second person" if verb.money else "any person"}  # fmt: skip
    print_fields(list(facts), list(facts.values()))
    rows = [
        (name, "required" if field.is_required() else field_text(field.default), field.description)
        for name, field in verb.parameters.model_fields.items()
    ]
    print_table(("parameter", "default", "meaning"), rows, below=True)


def rows_of(workspace: Workspace, keys: Sequence[str]) -> list[ActionRow]:
    """Return the actions whose ids begin so.

    Raises:
        UsageMistake: an id is too short, or isn't that of exactly one action.
    """
    from leat.runs.acting import actions_by_id, matching_ids

    ids = []
    for key in keys:
        matching = matching_ids(workspace, key.lower()) if len(key) >= _SHORTEST else []
        if len(matching) != 1:
            why = "more than one action has" if matching else "no action has"
            short = f"; write at least {_SHORTEST} characters" if len(key) < _SHORTEST else ""
            msg = f"{why} an id that begins with {key!r}{short}; `leat actions` lists them"
            raise UsageMistake(msg)
        ids.append(matching[0])
    rows = {row.id: row for row in actions_by_id(workspace, ids)}
    return [rows[each] for each in dict.fromkeys(ids)]
