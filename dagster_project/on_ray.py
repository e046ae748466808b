"""Runs of Dagster as jobs of a Ray cluster, for ``run_launcher`` of ``dagster.yaml``; docs/scaling.md has the settings.

Neither Ray nor Dagster notices a process that is stopped, or whose machine is cut off from the warehouse. Its lease
runs out, so a run of Dagster whose step has lost its lease counts as failed, and Dagster retries it.
"""

from __future__ import annotations

from functools import cached_property

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster_ray import RayRunLauncher

from leat.dagster_project.compiled import project_folder
from leat.pipelines.declare.project import open_project
from leat.runs.lost import lost_by_dagster
from leat.runs.workspace import Workspace


class LeasedRunLauncher(RayRunLauncher):
    """Submits a Ray job for each run, as dagster-ray does; asked how a run is, it looks at leat's leases as well."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return how the process of a run is; failed also if its lease ran out or was taken over."""
        seen: CheckRunHealthResult = super().check_run_worker_health(run)
        if seen.status is not WorkerStatus.RUNNING:
            return seen
        record = self._instance.get_run_record_by_id(run.run_id)
        name = None if record is None else lost_by_dagster(self._workspace, run.run_id, record.create_timestamp)
        if name is None:
            return seen
        why = f"its process has lost the lease of {name}: it is frozen, or cut off from the warehouse"
        return CheckRunHealthResult(WorkerStatus.FAILED, why)

    @cached_property
    def _workspace(self) -> Workspace:
        return Workspace(open_project(project_folder()))
