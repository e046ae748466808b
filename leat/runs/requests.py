"""Runs that somebody asked `leat serve` for: rows of the control store, which the worker of any server carries out."""

from __future__ import annotations

import dataclasses
import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from leat.control import requested_runs as stored
from leat.control.requested_runs import Claim, RequestedRun
from leat.pipelines.load.engine import Request
from leat.pipelines.load.error_message import text_of
from leat.pipelines.load.results import IntegrationResult
from leat.runs.load import Observer
from leat.runs.result import RunResult
from leat.runs.workspace import Workspace
from leat.sources.settings import redact
from leat.warehouse.session import Busy, WarehouseError

__all__ = ["Claim", "RequestedRun"]

log = logging.getLogger("leat.runs")

Execute = Callable[[Workspace, Sequence[str], Request, Observer], RunResult]
"""Runs integrations of a project; returns what became of them."""
_BETWEEN = 0.25  # seconds between reports
_PATIENCE = 60.0  # seconds for which the end of a run is tried to be stored


def request_run(workspace: Workspace, names: Sequence[str], by: str, *, full_refresh: bool = False) -> RequestedRun:
    """Ask for a run of integrations; a worker begins it at once.

    Args:
        workspace: the project.
        names: the integrations.
        by: who asks.
        full_refresh: whether all rows of all models are built, changed or not.
    """
    run_id = f"run_{int(time.time() * 1000):011x}{secrets.token_hex(8)}"  # ids sort by time
    asked = RequestedRun(run_id, list(names), by, datetime.now(UTC), full_refresh=full_refresh)
    stored.add_requests(workspace.store, [asked])
    return asked


def read_request(workspace: Workspace, run_id: str) -> RequestedRun | None:
    """Return a run that was asked for; None if there is none."""
    return stored.find_request(workspace.store, run_id) if run_id.startswith("run_") and run_id.isidentifier() else None


def read_lines(workspace: Workspace, run_id: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Return what happened in it, with the number of each event."""
    return stored.events_of(workspace.store, run_id, after)


def count_queued(workspace: Workspace) -> int:
    """Return how many runs wait."""
    return stored.count_queued(workspace.store)


def remove_old(workspace: Workspace) -> None:
    """Remove what ended seven days ago."""
    stored.remove_old(workspace.store)


def take_over_files(workspace: Workspace) -> None:
    """Move the runs into the control store that wait in files, where earlier versions had them."""
    folder = workspace.project.state / "requests"
    if not folder.exists():
        return
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("run_*.json"))]
    asked = [
        RequestedRun(each["id"], each["integrations"], each["requested_by"],
                     datetime.fromisoformat(each["requested_at"]))
        for each in files if each["state"] in ("queued", "running")
    ]  # fmt: skip
    stored.add_requests(workspace.store, asked)
    shutil.rmtree(folder)


def claim_next(workspace: Workspace) -> Claim | None:
    """Claim the oldest run that no worker of any server carries out; None if there is none."""
    return stored.claim_next(workspace.store)


def carry_out(workspace: Workspace, claim: Claim, execute: Execute) -> None:
    """Run what was asked for; what goes wrong is in its events.

    Args:
        workspace: the project.
        claim: the right to carry it out.
        execute: runs it, here or on a cluster.
    """
    ended = dataclasses.replace(claim.run, state="failed")
    report = _Report(workspace, claim)
    try:
        asked = Request(full_refresh=claim.run.full_refresh)
        result = execute(workspace, claim.run.integrations, asked, report.observer)
        report.add(event="ended", outcome=result.outcome, published=result.publication.published)
        ended = dataclasses.replace(ended, state=result.outcome)
    except Busy as error:
        ended = dataclasses.replace(ended, state="busy", error=redact(str(error)))
    except Exception as error:
        ended = dataclasses.replace(ended, error=redact(str(error))[:1000])
        raise
    finally:
        report.end(dataclasses.replace(ended, ended_at=datetime.now(UTC)))


class _Report:
    """Gathers what happens; a thread stores it, at most four times a second, and renews the claim.

    Progress of an integration counts at most every quarter of a second. While the control store doesn't answer, the
    run goes on.
    """

    def __init__(self, workspace: Workspace, claim: Claim) -> None:
        self._workspace, self._claim = workspace, claim
        self._number, self._events = claim.events, dict[int, Mapping[str, Any]]()
        self._counts: dict[tuple[str, str], int] = {}
        self._said: dict[str, float] = {}
        self._lost, self._stored = False, time.monotonic()
        self._adding, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._store_now_and_then, name="report", daemon=True)
        self._thread.start()
        self.observer = Observer(
            phase=lambda name, phase: self.add(event="phase", integration=name, phase=phase),
            progress=self._progress,
            result=self._result,
            refreshing=lambda: self.add(event="refreshing"),
        )

    def add(self, **fields: Any) -> None:
        """Add an event."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._adding:
            self._number += 1
            self._events[self._number] = {**fields, "at": at}

    def end(self, ended: RequestedRun) -> None:
        """Store the rest, and how the run ended.

        Raises:
            Unreachable: the control store hasn't answered for a minute; then another worker begins the run again.
        """
        self._over.set()
        self._thread.join()
        deadline = time.monotonic() + _PATIENCE
        while not self._store(ended, last=time.monotonic() > deadline):
            time.sleep(1)
        if self._lost:
            log.warning("another worker has begun %s again: this one didn't report for too long", ended.id)

    def _store_now_and_then(self) -> None:
        while not self._over.wait(_BETWEEN) and not self._lost:
            if self._events or time.monotonic() - self._stored > stored.LASTS.total_seconds() / 4:
                self._store()

    def _store(self, ended: RequestedRun | None = None, *, last: bool = False) -> bool:
        """Store what isn't stored yet; return whether nothing is left to do."""
        from sqlalchemy.exc import SQLAlchemyError

        with self._adding:
            events = dict(self._events)
        try:
            self._lost = self._lost or not stored.report(self._workspace.store, self._claim, events, ended)
        except (SQLAlchemyError, WarehouseError) as error:
            if last:
                raise
            log.warning("what happens in %s isn't stored: %s", self._claim.run.id, text_of(error))
            return False
        self._stored = time.monotonic()
        with self._adding:
            for number in events:
                del self._events[number]
        return True

    def _progress(self, name: str, what: str, count: int) -> None:
        self._counts[name, what] = self._counts.get((name, what), 0) + count
        if time.monotonic() - self._said.get(name, 0) > _BETWEEN:
            self._said[name] = time.monotonic()
            self.add(event="progress", integration=name, what=what, records=self._counts[name, what])

    def _result(self, result: IntegrationResult) -> None:
        changed: Collection[Any] = [stream for stream in result.streams if stream.changed]
        self.add(
            event="result",
            integration=result.integration,
            status=result.status,
            seconds=result.seconds,
            error=result.error,
            streams=[
                {
                    "stream": each.stream,
                    "inserted": each.inserted,
                    "updated": each.updated,
                    "deleted": each.deleted,
                    "quarantined": each.quarantined,
                }
                for each in changed
            ],
        )
