"""Submits a job for each integration, watches it, and repeats once what was killed or frozen.

::

    look at the fence n   ->   job leat-NAME-(n+1)   ->   watch it   ->   its answer
                                                   killed, frozen |
                                take the lease: fence n+2, what it still does counts for nothing
                                job leat-NAME-(n+3)   ->   watch it   ->   its answer, or failed

The name of a job has the fence that it will get, and Ray refuses a name that is in use: of several servers that find an
integration due, one runs it. Nothing else repeats: neither Ray, nor a server that finds the lost run.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.pipelines.load.engine import Request
from leat.runs.between import last_started
from leat.runs.load import Observer
from leat.runs.on_ray.answers import Answer, busy, failed, read_answer
from leat.runs.on_ray.jobs import Jobs, RayError, Seen
from leat.runs.recorder import Recorder
from leat.runs.workspace import Workspace
from leat.sources.driver import reads_control_store
from leat.warehouse.session import Busy

if TYPE_CHECKING:
    from leat.control.runs import RunRecord
    from leat.control.store import Trigger
    from leat.warehouse.postgres.leases import Leases

log = logging.getLogger("leat.runs")

_AT_ONCE = 64
"""So many jobs are submitted at a time: Ray gives up one that waits for a processor for 15 minutes."""
_ATTEMPTS = 2
_FIRST_LOOK, _LAST_LOOK = 0.2, 2.0
_EXPIRES = 40.0
"""Seconds after which the lease of a machine that is gone has certainly run out."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A job.

    Attributes:
        id: its name.
        fence: that the integration had before.
        last_run: the id of the integration's last run before, None for none.
    """

    id: str
    fence: int
    last_run: str | None


@dataclass(frozen=True, slots=True)
class Following:
    """Jobs of one run, and who is called about them.

    Attributes:
        jobs: the jobs of the cluster.
        workspace: the project.
        leases: the leases of its warehouse.
        request: what is asked of the loads.
        observer: is called while it goes on.
        submitted: called with the name of each job.
        trigger: who started the run.
        since: when it began, UTC.
    """

    jobs: Jobs
    workspace: Workspace
    leases: Leases
    request: Request
    observer: Observer
    submitted: Callable[[str], None]
    trigger: Trigger
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, names: Sequence[str]) -> list[Answer]:
        """Run integrations; those that read the control store run last, for the others write to it.

        Raises:
            RayError: the cluster doesn't answer any more.
        """
        answers: list[Answer] = []
        for last in (False, True):
            declared = self.workspace.declarations
            wave = [name for name in names if reads_control_store(declared[name].source) is last]
            threads = ThreadPoolExecutor(_AT_ONCE)
            try:
                answers += threads.map(self._run_one, wave)
            finally:  # an interrupt waits for no job
                threads.shutdown(wait=False, cancel_futures=True)
        return answers

    def _run_one(self, name: str) -> Answer:
        self.observer.phase(name, "started")
        answer = self._attempts(name)
        if not answer.recorded and answer.result.status == "failed":
            begun = last_started(self.workspace).get(name)
            if begun is None or begun < self.since:  # no job could record it, and its schedule would ask at once again
                Recorder(self.workspace.store, self.trigger, frozenset(self.request.only)).on_result(answer.result)
        self.observer.result(answer.result)
        return answer

    def _attempts(self, name: str) -> Answer:
        lost = ""
        for attempt in range(1, _ATTEMPTS + 1):
            job = self._submit(name)
            if job is None:
                return busy(name, f"{name}: another process runs it")
            seen = self._watch(name, job)
            if seen.state == "ended":
                return read_answer(name, job.id, seen.exit_code, self.jobs.output(job.id))
            log.warning("%s: job %s is %s: %s", name, job.id, seen.state, seen.why)
            try:
                self._take_over(name)
            except Busy:
                return busy(name, f"{name}: job {job.id} is {seen.state}, and its process goes on. Next: run it again")
            if seen.state == "stopped":
                return failed(name, "Stopped", f"somebody stopped job {job.id}; nothing is half-applied")
            lost = f"job {job.id}: {seen.why}"
            if attempt < _ATTEMPTS:
                self.observer.phase(name, f"job {job.id} was lost, trying again")
        why = f"its process was lost {_ATTEMPTS} times, last as {lost}"
        return failed(name, "Killed", f"{why}. Next: see `ray job logs` of it, and the memory of the machines")

    def _submit(self, name: str) -> _Job | None:
        """Return the job that was started; None where somebody else runs the integration, or it isn't wanted any more.

        The fence is looked at first: if another server runs it in between, either it isn't wanted or the name is taken.
        """
        fence, _ = self.leases.look(name)
        last = self._last_run(name)
        if self.request.wanted is not None and not self.request.wanted(name):
            return None
        for turn in itertools.count(1):
            job = f"leat-{name}-{fence + 1}" + (f"-{turn}" if turn > 1 else "")
            if self.jobs.submit(job, self._words(name)):
                self.submitted(job)
                return _Job(job, fence, None if last is None else last.id)
            if self.jobs.look(job).state in ("waiting", "running"):
                return None
        return None

    def _words(self, name: str) -> list[str]:
        request = self.request
        only = sorted(request.only.get(name, ()))
        words = ["leat", "run", *([f"{name}.{stream}" for stream in only] or [name]), "--json"]
        words += ["--allow-deletes"] if request.allow_deletes else []
        words += ["--full-refresh"] if request.full_refresh else []
        return words + (["--from", request.since.isoformat()] if request.since is not None else [])

    def _watch(self, name: str, job: _Job) -> Seen:
        """Return how a job is when it has ended, or when its process has let its lease run out."""
        wait, shown = _FIRST_LOOK, ""
        while True:
            seen = self.jobs.look(job.id)
            if seen.state not in ("waiting", "running"):
                return seen
            if seen.state != shown:
                shown = seen.state
                self.observer.phase(name, f"job {job.id} is {shown}")
            if self._is_overtaken(name, job):
                with contextlib.suppress(RayError):
                    self.jobs.stop(job.id)
                return Seen("killed", why="its machine is frozen or cut off, for its lease has run out")
            time.sleep(wait)
            wait = min(1.5 * wait, _LAST_LOOK)

    def _is_overtaken(self, name: str, job: _Job) -> bool:
        """Return whether a job's lease ran out, or whether a server that saw that has closed its run already."""
        fence, expired = self.leases.look(name)
        if fence <= job.fence + 1:
            return expired and fence == job.fence + 1
        last = self._last_run(name)
        return last is not None and last.id != job.last_run and last.error_type == "Killed"

    def _last_run(self, name: str) -> RunRecord | None:
        from leat.control.store import recent_runs

        return next(iter(recent_runs(self.workspace.store, name, limit=1)), None)

    def _take_over(self, name: str) -> None:
        """Take the lease and close the run that was lost: whatever its process still does counts for nothing.

        Raises:
            Busy: its process still renews it.
        """
        from leat.control.store import close_lost_runs

        with self.workspace.warehouse.exclusive(name, _EXPIRES):
            close_lost_runs(self.workspace.store, name)


def leases_of(workspace: Workspace) -> Leases:
    """Return the leases of a project that several machines may run.

    Raises:
        RayError: its warehouse or its control store are files of this machine.
    """
    from leat.warehouse.ducklake.shared import SharedLake
    from leat.warehouse.postgres.warehouse import PostgresWarehouse
    from leat.warehouse.url import is_postgres

    warehouse = workspace.warehouse
    if isinstance(warehouse, PostgresWarehouse | SharedLake) and is_postgres(workspace.project.control_url):
        return warehouse.leases
    what = "control store" if isinstance(warehouse, PostgresWarehouse | SharedLake) else "warehouse"
    option = " --control env:NEW_CONTROL" if what == "control store" else " env:NEW_WAREHOUSE"
    msg = (
        f"--on: the {what} of this project is a file of this machine, which the machines of the cluster don't see. "
        f"Next: `leat move{option}` moves it to Postgres; docs/scaling.md has the steps"
    )
    raise RayError(msg)
