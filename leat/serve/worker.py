"""The worker of ``leat serve``: schedules, refetches after webhooks, webhooks to tables, actions, alerts.

::

    python -m leat.serve.worker OPTIONS LIVES

Everything is done through leat.runs, so that ``leat run`` from a shell is just another process with the same locks. A
run that a webhook asks for doesn't wait for one that a schedule asks for: each has a thread of its own. On a cluster,
each integration has one, up to 64.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from leat.hooks.tail import Tail
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.engine import Request
from leat.pipelines.load.error_message import log_error, text_of
from leat.runs import access, between, hooks, request_buckets, requests, signing_in
from leat.runs.executor import executor
from leat.runs.load import SILENT
from leat.runs.lost import LostRuns
from leat.runs.on_ray.jobs import RayError
from leat.runs.repeated import remove_old
from leat.runs.result import RunResult
from leat.runs.server_number import live_folder
from leat.runs.warm import import_libraries
from leat.runs.workspace import Workspace
from leat.serve.child import start_child
from leat.serve.current import Current
from leat.serve.lane import Lane, SideBySide, Work
from leat.serve.traces import Traces
from leat.serve.unavailable import ERRORS
from leat.sources.driver import reads_control_store
from leat.warehouse.session import Busy

log = logging.getLogger("leat.serve.worker")

_LOOK = 0.05  # seconds between looks at the segments
_REQUESTED = 0.25  # seconds between looks for requested runs
_APPLY_BYTES = 8_000_000
_PATIENCE = 25.0
_ORDINARY = Request()
_PORTION = 8  # integrations that a run loads side by side
_JOBS = 64  # of a cluster for schedules, as many for webhooks, and as many runs that somebody requests
_SAID = 10.0  # seconds within which a database that doesn't answer is no news
_AWAY = 10.0  # seconds until a cluster is asked again that doesn't answer


class Worker:
    """What the worker does, in steps that a loop calls.

    Args:
        current: the project as it is declared now.
        on: the dashboard of the Ray cluster whose machines run integrations; None for this machine.
    """

    def __init__(self, current: Current, on: str | None = None) -> None:
        self._current = current
        self._execute = executor(on)
        self._traces = Traces("worker")
        self._began = datetime.now(UTC)
        self._tail = Tail(live_folder(current.workspace()))
        self._next: dict[str, float] = {}
        self._unapplied = False
        self._applied_bytes = 0
        self._lost = LostRuns()
        self._first: list[Callable[[], object]] = [
            lambda: requests.take_over_files(self._current.workspace()),
            self._catch_up,
        ]
        lane: Callable[[str, Work], Lane | SideBySide] = Lane if on is None else partial(SideBySide, at_once=_JOBS)
        self.refetches = lane("refetches", self._load)
        self.schedules = lane("schedules", self._load_due)
        self._places = 1 if on is None else _JOBS
        self._free = threading.Semaphore(self._places)
        self._requested = threading.Thread(target=self._look_for_requests, name="requested", daemon=True)
        self._upkeep = threading.Thread(target=self._look_after, name="upkeep", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin: what came before this process is looked at once, as soon as the databases answer."""
        self.attempt("libraries", import_libraries)
        self.attempt("webhooks", self.step)
        self._requested.start()
        self._upkeep.start()

    def step(self) -> None:
        """Look for new webhooks, and ask for the loads that they and schedules need."""
        while self._first:
            work = self._first.pop(0)
            try:
                work()
            except ERRORS:
                self._first.insert(0, work)
                raise
        declarations = self._current.workspace().declarations  # before events are read, which are read once
        events = self._tail.read()
        if events:
            self._unapplied = True
            hooked = {name for name, one in declarations.items() if one.hooks is not None and one.hooks.refetch}
            self.refetches.want(hooked & {event.endpoint for event in events if event.problem is None})

    def end(self) -> None:
        """End what is under way, as far as there is time."""
        self._ended.set()
        deadline = time.monotonic() + _PATIENCE
        for lane in (self.refetches, self.schedules):
            lane.end(max(0, deadline - time.monotonic()))
        self._requested.join(max(0, deadline - time.monotonic()))
        for _ in range(self._places):
            self._free.acquire(timeout=max(0, deadline - time.monotonic()))
        self._traces.close()

    def _catch_up(self) -> None:
        """Ask for loads of the integrations with webhooks that came after their last run began."""
        workspace = self._current.workspace()
        hooks.prepare(workspace)
        started = between.last_started(workspace)
        newest = {event.endpoint: event.received_at for event in self._tail.read() if event.problem is None}
        self._unapplied = bool(newest)
        late = {
            name
            for name, at in newest.items()
            if name in workspace.declarations and at > started.get(name, at.min.replace(tzinfo=UTC))
        }
        self.refetches.want(late)

    def _load(self, names: Collection[str], request: Request = _ORDINARY) -> Collection[str]:
        workspace = self._current.workspace()
        there = [name for name in names if name in workspace.declarations]
        try:
            with self._traces.span("run", integrations=there):
                result = self._execute(workspace, there, request, SILENT)
        except Busy:
            return there
        except RayError as error:
            if time.monotonic() >= self._next.get("Ray", 0):  # all that is due asks it
                self._next["Ray"] = time.monotonic() + _AWAY
                log.warning("%s", error)
            self._ended.wait(_AWAY)
            return there
        for each in result.integrations:
            log.info(
                "%s: %s in %.2f s", each.integration, each.status, each.seconds, extra={"integration": each.integration}
            )
        return [each.integration for each in result.integrations if each.status == "busy"]

    def _load_due(self, names: Collection[str]) -> Collection[str]:
        """Run what is due, each once among all servers: in portions, each without what another server began meanwhile.

        In a random order, because servers that began at the same place would wait for each other. A DuckDB warehouse
        has one server only, and each run publishes it, so there everything is one portion.
        """
        workspace = self._current.workspace()
        shared = workspace.warehouse.publication is None

        def due(among: Collection[str]) -> Collection[str]:
            return between.due_integrations(workspace, self._began, datetime.now(UTC), among)

        request = Request(wanted=lambda name: bool(due([name])))
        declared = workspace.declarations
        left = [name for name in names if name in declared]
        random.SystemRandom().shuffle(left)
        left.sort(key=lambda name: reads_control_store(declared[name].source))  # the others write to it
        while left and not self._ended.is_set():
            still = set(due(left))
            left = [name for name in left if name in still]
            portion, left = (left[:_PORTION], left[_PORTION:]) if shared else (left, [])
            if portion:
                self._load(portion, request)  # what is busy has begun elsewhere
        return ()

    def _look_for_requests(self) -> None:
        """Carry out what somebody requests, until the end: one run after the other, on a cluster side by side."""
        while not self._ended.wait(_REQUESTED):
            if not self.attempt("requests", self._begin_requested):
                self._ended.wait(1)

    def _begin_requested(self) -> None:
        while not self._ended.is_set() and self._free.acquire(timeout=_REQUESTED):
            claim = None
            try:
                claim = requests.claim_next(self._current.workspace())
            finally:
                if claim is None:
                    self._free.release()
            if claim is None:
                return
            threading.Thread(target=self._carry_out, args=(claim,), name=claim.run.id, daemon=True).start()

    def _carry_out(self, claim: requests.Claim) -> None:
        def execute(_: Workspace, *asked: Any) -> RunResult:
            return self._execute(self._current.workspace(at_once=True), *asked)  # it may be declared since

        def work() -> None:
            with self._traces.span("requested run", run_id=claim.run.id):
                requests.carry_out(self._current.workspace(), claim, execute)

        self.attempt(claim.run.id, work)
        self._free.release()

    def _look_after(self) -> None:
        """Do what is due every few seconds, until the end."""
        due: tuple[tuple[str, float, Callable[[], object]], ...] = (
            ("schedules", 1, self._schedule),
            ("lost runs", 5, lambda: self.refetches.want(self._lost.close(self._current.workspace()))),
            ("actions", 1, lambda: between.send_due(self._current.workspace())),
            ("webhooks", 0, self._apply),
            ("automations", 60, lambda: between.plan_due(self._current.workspace())),
            ("alerts", 60, lambda: between.notify_due(self._current.workspace())),
            ("webhooks out", 5, lambda: between.send_webhooks_due(self._current.workspace())),
            ("audit log", 30, lambda: access.seal(self._current.workspace())),
            ("sessions", 3600, lambda: signing_in.remove_expired(self._current.workspace())),
            ("answers", 3600, lambda: remove_old(self._current.workspace().store)),
            ("requests", 3600, lambda: requests.remove_old(self._current.workspace())),
            ("request buckets", 3600, lambda: request_buckets.remove_old(self._current.workspace())),
            ("segments", 60, lambda: hooks.remove_applied(self._current.workspace())),
        )
        while not self._ended.wait(0.2):
            for name, seconds, work in due:
                if time.monotonic() >= self._next.get(name, 0):
                    self._next[name] = time.monotonic() + seconds
                    self.attempt(name, work)

    def attempt(self, name: str, work: Callable[[], object]) -> bool:
        """Do something; return whether it worked. What goes wrong is in the log."""
        try:
            work()
        except (Busy, DeclarationError) as error:
            log.warning("%s: %s", name, error)
        except ERRORS as error:  # each second, while it doesn't answer
            again = time.monotonic() < self._next.get(f"{name} failed", 0)
            self._next[f"{name} failed"] = time.monotonic() + _SAID
            log.log(logging.DEBUG if again else logging.WARNING, "%s: %s", name, text_of(error))
        except Exception as error:
            log_error(log, error, "%s", name)
        else:
            return True
        return False

    def _schedule(self) -> None:
        names = between.due_integrations(self._current.workspace(), self._began, datetime.now(UTC))
        if names:
            self.schedules.want(names)

    def _apply(self) -> None:
        """Apply webhooks: on Postgres at once; on DuckDB, whose readers see them already, now and then."""
        if not self._unapplied:
            return
        workspace = self._current.workspace()
        often = workspace.warehouse.publication is None
        size, _ = hooks.waiting(workspace)
        self._applied_bytes = min(self._applied_bytes, size)  # applied segments are removed later
        if not often and size - self._applied_bytes < _APPLY_BYTES and time.monotonic() < self._next.get("apply", 0):
            return
        self._next["apply"] = time.monotonic() + 300
        self._unapplied, self._applied_bytes = False, size  # what comes from now on is another time's
        try:
            if hooks.apply(workspace):
                hooks.publish_applied(workspace)
        except BaseException:
            self._unapplied, self._applied_bytes, self._next["apply"] = True, 0, 0
            self._next["webhooks"] = time.monotonic() + 1
            raise


def main() -> None:
    """Work until a signal asks to end."""
    ended: SimpleQueue[int] = SimpleQueue()  # unlike an Event's lock, also for a handler that interrupts its reader
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: ended.put(number))
    options, workspace, _ = start_child("worker")
    worker = Worker(Current(workspace), options.on)
    worker.start()
    wait = _LOOK
    while not _was_put(ended, wait):
        wait = _LOOK if worker.attempt("webhooks are not followed", worker.step) else 1
    worker.end()
    logging.shutdown()
    os._exit(0)  # threads that still wait for a system would log while Python takes itself apart


def _was_put(queue: SimpleQueue[int], seconds: float) -> bool:
    with contextlib.suppress(Empty):
        queue.get(timeout=seconds)
        return True
    return False


if __name__ == "__main__":
    main()
