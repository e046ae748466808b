"""Puts a compiled project together for Dagster: its assets, jobs, schedules and sensors."""

from __future__ import annotations

import dagster as dg

from leat.dagster_project.automation_assets import automation_assets, automation_sensors
from leat.dagster_project.compiled import Compiled
from leat.dagster_project.ingested import ingested_assets
from leat.dagster_project.refreshed_assets import refreshed_assets
from leat.dagster_project.schedules import integration_job, integration_schedule
from leat.dagster_project.sensors import alert_sensors


def definitions(compiled: Compiled) -> dg.Definitions:
    """Return what a project consists of; a run is one process, which does its steps in turn."""
    jobs = {name: integration_job(declaration) for name, declaration in compiled.described.declarations.items()}
    schedules = [integration_schedule(d, jobs[name]) for name, d in compiled.described.declarations.items()]
    refreshed = refreshed_assets(compiled)
    return dg.Definitions(
        assets=[
            *(ingested_assets(compiled, declaration) for declaration in compiled.described.declarations.values()),
            *([] if refreshed is None else [refreshed]),
            *automation_assets(compiled),
        ],
        jobs=list(jobs.values()),
        schedules=[schedule for schedule in schedules if schedule is not None],
        sensors=[*alert_sensors(compiled), *automation_sensors(compiled)],
        executor=dg.in_process_executor,
    )
