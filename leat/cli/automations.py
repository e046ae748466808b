"""``leat automations``: what is declared, what it would do and did; enable and disable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leat.cli.output import Json, counted, minute, print_json, say
from leat.cli.tables import print_fields, print_table
from leat.cli.usage import UsageMistake, not_there
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.automating import Automation, RunRow

Name = Annotated[str, typer.Argument(metavar="NAME", help="The automation: the name of its file.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show automations; enable, disable and simulate them.")
    group.callback()(show_all)
    for command in (list_, show, check, simulate, enable, disable, undo):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="automations")


def show_all(context: typer.Context, json: Json = False) -> None:
    """Show the automations of the project."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def list_(context: typer.Context, json: Json = False) -> None:
    """List the automations. Shows what starts each, its mode, and what its last run planned."""
    from leat.runs.automating import last_runs_of, modes_of

    workspace: Workspace = context.obj()
    automations, modes = workspace.automations, modes_of(workspace)
    last = {name: next(iter(last_runs_of(workspace, name, 1)), None) for name in automations}
    if json:
        print_json(command="automations", automations=[_as_json(workspace, each) for each in automations.values()])
        return
    if not automations:
        say("no automations; declare one in automations/NAME.yaml")
        return
    rows = [
        (
            name,
            _mode(modes.get(name)),
            _trigger(each),
            _numbers(last[name]),
            each.declared.description + (f" ({each.declared.owner})" if each.declared.owner else ""),
        )
        for name, each in automations.items()
    ]
    print_table(("automation", "mode", "when", "last run", "description"), rows, below=True)
    say(counted(len(rows), "automation"))


def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show an automation, its last runs and its actions."""
    from leat.runs.automating import actions_of, last_runs_of, modes_of

    workspace: Workspace = context.obj()
    automation = _one(workspace, name)
    if json:
        print_json(command="automations show", automation=_as_json(workspace, automation))
        return
    row, declared = modes_of(workspace).get(name), automation.declared
    say((name, "bold"), f": {declared.description}")
    facts = {"mode": _mode(row), "when": _trigger(automation), "does": ", then ".join(_verbs(automation)),
             "for each": ", ".join(automation.key), "read from": ", ".join(map(str, automation.tables)),
             "approval": str(declared.approve) if isinstance(declared.approve, str) else _given(declared.approve),
             "limits": _given(declared.limits), "owner": declared.owner or None,
             "changed": row and f"{minute(row.changed_at)} UTC by {row.changed_by}"}  # fmt: skip
    stated = {key: value for key, value in facts.items() if value}
    print_fields(list(stated), list(stated.values()))
    runs = [(minute(run.planned_at), run.mode, _numbers(run), "; ".join(run.verdicts) or None)
            for run in last_runs_of(workspace, name)]  # fmt: skip
    print_table(("at (UTC)", "mode", "planned", "verdicts"), runs, title="\nRuns", below=True)
    actions = [(each.id[:8], each.state, each.title) for each in actions_of(workspace, name)]
    print_table(("id", "state", "title"), actions, title="\nActions", below=True)


def check(context: typer.Context, json: Json = False) -> None:
    """Validate the automations, without connecting to a system."""
    workspace: Workspace = context.obj()
    automations = workspace.automations
    if json:
        print_json(command="automations check", automations=list(automations))
    else:
        say(("✓", "green"), f" valid: {counted(len(automations), 'automation')}")


def simulate(
    context: typer.Context,
    name: Name,
    days: Annotated[int, typer.Option("--days", min=1, help="How far to look back.")] = 90,
    json: Json = False,
) -> None:
    """Show what an automation would do now. Also what it would have done in the past. Stores and sends nothing."""
    from leat.runs.automating import simulate as simulated

    workspace: Workspace = context.obj()
    result = simulated(workspace, _one(workspace, name), days)
    if json:
        print_json(command="automations simulate", simulation=asdict(result))
        return
    for target in result.targets:
        say(f"· {', '.join(map(str, target.key))}: {'; '.join(target.would)}", whole=True)
    for problem in result.problems:
        say(("✗", "red"), f" {problem}")
    say(f"now: {counted(len(result.targets), 'target')}")
    if result.past is not None:
        say(f"in the last {counted(days, 'day')}: {result.past.text()}")


def enable(
    context: typer.Context,
    name: Name,
    every: Annotated[bool, typer.Option("--all-rows", help="With rows: act also on those that are there now.")] = False,
    json: Json = False,
) -> None:
    """Let an automation plan actions from the next run on."""
    from leat.runs.access import Resource, require
    from leat.runs.automating import enable as enable_it

    workspace: Workspace = context.obj()
    automation = _one(workspace, name)
    require(workspace, "configure", Resource("automation", name))
    baseline = enable_it(workspace, automation, baseline=not every)
    if json:
        print_json(command="automations enable", automation=name, rows_left_out=baseline)
        return
    say(f"{name} is enabled: the next `leat run` plans its actions")
    if baseline:
        say(f"{counted(baseline, 'row')} that are there now count as seen; --all-rows acts on them, too")


def disable(context: typer.Context, name: Name, json: Json = False) -> None:
    """Disable an automation. Withdraws its actions that haven't been sent."""
    from leat.runs.access import Resource, require
    from leat.runs.automating import disable as disable_it
    from leat.runs.automating import modes_of

    workspace: Workspace = context.obj()
    require(workspace, "configure", Resource("automation", name))
    if name not in modes_of(workspace):
        _one(workspace, name)
    withdrawn = disable_it(workspace, name)
    if json:
        print_json(command="automations disable", automation=name, withdrawn=withdrawn)
        return
    say(f"{name} is disabled; {counted(withdrawn, 'action')} withdrawn")


def undo(
    context: typer.Context,
    name: Name,
    key: Annotated[
        str | None, typer.Argument(metavar="ID", help="An action: undo only those of its target; all if none is given.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Approve and send what takes them back.")] = False,
    json: Json = False,
) -> None:
    """Plan actions that reverse those of an automation. For each target, the last step comes first."""
    from leat.cli.action_text import rows_of
    from leat.cli.decisions import approve_and_report
    from leat.runs.access import action as resource_of
    from leat.runs.access import require
    from leat.runs.automating import effective
    from leat.runs.automating import undo as undo_it

    workspace: Workspace = context.obj()
    only = rows_of(workspace, [key])[0] if key is not None else None
    if only is not None and only.automation != name:
        msg = f"{only.id[:8]} is no action of {name}"
        raise UsageMistake(msg)
    rows = effective(workspace, name, only)
    require(workspace, "approve", map(resource_of, rows))
    undoing = undo_it(workspace, rows)
    if not undoing.planned and not undoing.refused and not json:
        say(f"{name} has done nothing that could be undone")
        return
    for row_id, why in undoing.refused.items() if not json else ():
        say(("✗", "red"), f" {row_id[:8]} stays: {why}")
    approve_and_report(workspace, undoing.planned, "automations undo", yes=yes, as_json=json, refused=undoing.refused)


def print_planned(runs: Sequence[RunRow], waiting: int) -> None:
    """Print what automations planned in a run; nothing of those that had nothing to do.

    Args:
        runs: what each planned, in targets.
        waiting: how many actions wait for approval; it is said if this run planned one of them.
    """
    for run in runs:
        if run.planned or run.expired or run.verdicts:
            mark = ("!", "yellow") if run.verdicts else "·"
            why = f": {'; '.join(run.verdicts)}" if run.verdicts else ""
            did = "" if run.mode == "simulate" else "planned "
            say(mark, f" automation {run.automation}: {did}{_numbers(run)}{why}")
    if waiting and any(run.planned > run.approved for run in runs if run.mode == "enabled"):
        say(f"{counted(waiting, 'action')} waiting for approval: `leat actions` lists them")


def _one(workspace: Workspace, name: str) -> Automation:
    automations = workspace.automations
    if name not in automations:
        raise UsageMistake(not_there(f"no automation {name!r} is declared", name, automations, "declared"))
    return automations[name]


def _as_json(workspace: Workspace, automation: Automation) -> dict[str, Any]:
    from leat.runs.automating import last_runs_of, modes_of

    row = modes_of(workspace).get(automation.name)
    return {
        "name": automation.name,
        "mode": _mode(row),
        "changed_at": row and row.changed_at,
        "changed_by": row and row.changed_by,
        "declared": automation.declared.model_dump(mode="json", exclude_none=True),
        "runs": [asdict(run) for run in last_runs_of(workspace, automation.name, 5)],
    }


def _mode(row: Any) -> str:
    return "simulate" if row is None else str(row.mode)


def _trigger(automation: Automation) -> str:
    when = automation.declared.when
    if when.schedule is not None:
        return f"{when.schedule} {when.zone}"
    return "each new row" if when.rows else f"{when.rule} {'opened' if when.violation_opened else 'resolved'}"


def _verbs(automation: Automation) -> list[str]:
    return [f"{step.integration}.{step.verb}" for step in automation.steps]


def _given(model: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.model_dump(exclude_none=True).items())


def _numbers(run: RunRow | None) -> str | None:
    if run is None:
        return None
    would = "would plan " if run.mode == "simulate" else ""
    numbers = {"approved": run.approved, "held": run.held, "expired": run.expired, "refused": run.refused}
    more = "".join(f", {count} {what}" for what, count in numbers.items() if count)
    return f"{would}{run.planned} of {counted(run.targets, 'target')}{more}"
