"""Runs on a Ray cluster from the command line: which jobs go on when it is interrupted, and how to stop them."""

from __future__ import annotations

from collections.abc import Sequence

from leat.cli.output import err
from leat.cli.usage import UsageMistake
from leat.pipelines.load.engine import Request
from leat.runs.load import Observer
from leat.runs.result import RunResult
from leat.runs.workspace import Workspace


def check_cluster(workspace: Workspace, url: str, *, dry: bool = False) -> None:
    """Make sure that a project can be run on the cluster with this dashboard; nothing is asked of it.

    Raises:
        UsageMistake: it can't.
    """
    from leat.runs.on_ray.follow import leases_of
    from leat.runs.on_ray.jobs import Jobs, RayError

    if dry:
        msg = "--on: a dry run reads on this machine. Next: leave --on or --dry-run out"
        raise UsageMistake(msg)
    try:
        Jobs(url)
        leases_of(workspace)
    except RayError as error:
        raise UsageMistake(str(error)) from error


def run_as_jobs(
    url: str, workspace: Workspace, names: Sequence[str], request: Request, observer: Observer
) -> RunResult:
    """Run integrations as jobs of a cluster; when that is interrupted, say which jobs were submitted.

    Raises:
        RayError: the project can't be run on a cluster, or the cluster doesn't answer.
    """
    from leat.runs.on_ray.jobs import Jobs
    from leat.runs.on_ray.run import run_on

    submitted: list[str] = []
    try:
        return run_on(Jobs(url), workspace, names, request, observer, submitted=submitted.append)
    except Exception:
        raise
    except BaseException:
        if submitted:
            err.print(f"jobs go on unless they have ended: {', '.join(submitted)}")
            err.print(f"`ray job stop --address {url} JOB` stops one; `leat runs` shows how they end")
        raise
