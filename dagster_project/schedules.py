"""One job per integration, and its schedule: the integration's tables, and the models and rules that read them."""

from typing import TYPE_CHECKING

import dagster as dg

from leat.pipelines.declare.declaration import Declaration

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

MAX_RUNTIME = {"dagster/max_runtime": 6 * 3600}
"""Seconds after which a run counts as dead; the default launcher doesn't see that a worker was killed."""

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def integration_job(declaration: Declaration) -> "UnresolvedAssetJobDefinition":
    """Return the job that loads an integration and brings up to date what reads it."""
    keys = [dg.AssetKey([declaration.name, stream.name]) for stream in declaration.selected()]
    return dg.define_asset_job(
        f"{declaration.name}_job",
        selection=dg.AssetSelection.assets(*keys).downstream(),
        description=f"Loads {declaration.name}, then rebuilds the models and runs the rules that read it.",
        tags=MAX_RUNTIME,
    )


def integration_schedule(declaration: Declaration, job: "UnresolvedAssetJobDefinition") -> dg.ScheduleDefinition | None:
    """Return the declared schedule, in its time zone; None when there is none.

    It runs unless the declaration is disabled, and lets a tick pass while an earlier run is still in progress.
    """
    if declaration.schedule is None:
        return None

    @dg.schedule(
        name=f"{declaration.name}_schedule",
        job=job,
        cron_schedule=declaration.schedule,
        execution_timezone=declaration.zone,
        description=f"As {declaration.path.name} declares it.",
        default_status=dg.DefaultScheduleStatus.RUNNING if declaration.enabled else dg.DefaultScheduleStatus.STOPPED,
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        under_way = context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=_UNDER_WAY), limit=1)
        if under_way:
            return dg.SkipReason(f"run {under_way[0].run_id[:8]} of {declaration.name} is still in progress")
        return dg.RunRequest()

    return tick
