"""Automations as Dagster assets: each plans what it has to do after the rules, and shows what its runs planned.

A sensor does the same every minute, for schedules and for what became due meanwhile, and sends what is approved.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from leat.actions.automations.automation import Automation
from leat.actions.automations.file import automation_paths, read_automations
from leat.dagster_project.compiled import VIOLATIONS, Compiled
from leat.dagster_project.steps import logging_to

if TYPE_CHECKING:
    from leat.runs.automating import RunRow

_REGULARLY = 60
"""Seconds between two evaluations of the sensor at least."""
AUTOMATIONS = "automations"


def automation_assets(compiled: Compiled) -> Sequence[dg.AssetsDefinition]:
    """Return an asset for each automation without a mistake; `leat check` reports the others."""
    if not automation_paths(compiled.workspace.project):
        return []
    automations, _ = read_automations(compiled.workspace.project, compiled.described.declarations)
    return [_asset(compiled, automation) for automation in automations.values()]


def automation_sensors(compiled: Compiled) -> Sequence[dg.SensorDefinition]:
    """Return the sensor that plans and sends; none for a project without automations."""
    if not automation_paths(compiled.workspace.project):
        return []

    @dg.sensor(
        name=AUTOMATIONS,
        description="Lets automations plan what is due, and sends actions that are approved.",
        minimum_interval_seconds=_REGULARLY,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def automations(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        from leat.runs.acting import send_approved
        from leat.runs.automating import plan
        from leat.runs.suppressing import learn_or_log

        with compiled.current() as workspace:
            learn_or_log(workspace)
            runs = [run for run in plan(workspace) if run.planned or run.expired]
            acted = send_approved(workspace)
        for run in runs:
            metadata = _metadata(run)
            context.instance.report_runless_asset_event(
                dg.AssetMaterialization(_key(run.automation), metadata=metadata)
            )
        lines = [f"{run.automation}: {run.planned} planned, {run.expired} expired ({run.mode})" for run in runs]
        lines += [f"{row.integration}.{row.verb} {row.id[:8]}: {row.state}" for row in acted.actions]
        return dg.SkipReason("; ".join(lines) or "there is nothing to plan or to send")

    return [automations]


def _asset(compiled: Compiled, automation: Automation) -> dg.AssetsDefinition:
    declared = automation.declared
    rules = [VIOLATIONS] if declared.when.rule is not None else []

    @dg.asset(
        key=_key(automation.name),
        deps=list(dict.fromkeys([*rules, *compiled.inputs(automation.tables)])),
        description=declared.description,
        group_name=AUTOMATIONS,
        code_version=automation.digest[:12],
        metadata={"does": ", ".join(f"{step.integration}.{step.verb}" for step in automation.steps)},
    )
    def step(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from leat.runs.acting import send_approved
        from leat.runs.automating import plan
        from leat.runs.suppressing import learn_or_log

        with logging_to(context), compiled.current() as workspace:
            learn_or_log(workspace)
            runs = plan(workspace, only={automation.name})
            send_approved(workspace)
        if not runs:
            return dg.MaterializeResult(metadata={"mode": "disabled, or planned by another process"})
        return dg.MaterializeResult(metadata=_metadata(runs[0]))

    return step


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey([AUTOMATIONS, name])


def _metadata(run: "RunRow") -> dict[str, str | int]:
    numbers = {name: getattr(run, name) for name in ("targets", "planned", "approved", "held", "expired", "refused")}
    return {"mode": run.mode, **numbers, "verdicts": "; ".join(run.verdicts)}
