"""One run on a Ray cluster, from the jobs of its integrations to one result, as if it had been run here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.pipelines.load.drift import changes_since
from leat.pipelines.load.engine import Request
from leat.quality.violation_report import entries
from leat.runs.load import SILENT, Observer
from leat.runs.on_ray.answers import acted_by, planned_by, refreshed_by, sent_by
from leat.runs.on_ray.follow import Following, leases_of
from leat.runs.on_ray.jobs import Jobs
from leat.runs.publish import Published
from leat.runs.recorder import register
from leat.runs.result import RunResult
from leat.runs.run import reasons_of
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.control.store import Trigger


def run_on(
    jobs: Jobs,
    workspace: Workspace,
    names: Sequence[str],
    request: Request,
    observer: Observer = SILENT,
    *,
    trigger: Trigger = "cli",
    submitted: Callable[[str], None] = lambda _job: None,
) -> RunResult:
    """Run integrations on a cluster, each as a job that does all that `leat run` does.

    Args:
        jobs: the jobs of the cluster.
        workspace: the project.
        names: the integrations.
        request: what is asked of the loads.
        observer: is called while it goes on.
        trigger: who started it; for runs that no job could record.
        submitted: called with the name of each job.

    Raises:
        RayError: the project can't be run on a cluster, or the cluster doesn't answer.
    """
    from leat.control.outbox import count_waiting
    from leat.control.publications import current_publications

    started, since = time.monotonic(), datetime.now(UTC)
    leases = leases_of(workspace)
    jobs.check()
    register(workspace.store, workspace.declarations)
    following = Following(jobs, workspace, leases, request, observer, submitted, trigger)
    answers = following.run(names)
    by_name = {answer.result.integration: answer.result for answer in answers}
    results = [by_name[name] for name in names]
    with workspace.warehouse.snapshot() as session:
        return RunResult(
            started_at=since,
            seconds=round(time.monotonic() - started, 3),
            integrations=results,
            refreshed=refreshed_by(answers),
            publication=Published(published=False, withheld=current_publications(workspace.store).withheld),
            quarantined=reasons_of(session, results, since),
            drift=changes_since(session, since),
            violations=entries(session),
            sent=sent_by(answers),
            planned=planned_by(answers),
            acted=acted_by(answers),
            waiting=count_waiting(workspace.store),
        )
