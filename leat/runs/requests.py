"""Runs that somebody asked `leat serve` for: files in the state folder, which the worker carries out and reports to.

::

    requests/<id>.json      what is asked, and how it is
    requests/<id>.queued    while it waits for the worker
    requests/<id>.ndjson    what happened, a line each; ids of lines are their numbers
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from leat.files import atomic_write, make_private
from leat.pipelines.load.engine import Request
from leat.pipelines.load.results import IntegrationResult
from leat.runs.load import Observer
from leat.runs.result import RunResult
from leat.runs.workspace import Workspace
from leat.sources.settings import redact
from leat.warehouse.session import Busy

Execute = Callable[[Workspace, Sequence[str], Request, Observer], RunResult]
"""Runs integrations of a project; returns what became of them."""
State = Literal["queued", "running", "ok", "failed", "blocked", "busy", "interrupted"]
_RETAINED = 7 * 86_400
_BETWEEN = 2.0
"""Seconds within which :func:`request_run` has written both of its files."""


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that was asked for.

    Attributes:
        id: ``run_…``.
        integrations: what is loaded.
        requested_by: who asked.
        requested_at: when, UTC.
        state: how it is, or how it ended; interrupted when the worker ended meanwhile.
        started_at: when it began, UTC.
        ended_at: when it ended, UTC.
        error: why nothing of it could be run; the errors of integrations are in the events.
    """

    id: str
    integrations: Sequence[str]
    requested_by: str
    requested_at: datetime
    state: State = "queued"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing follows any more."""
        return self.state not in ("queued", "running")


def request_run(workspace: Workspace, names: Sequence[str], by: str) -> RequestedRun:
    """Ask for a run of integrations; the worker begins it at once."""
    folder = _folder(workspace)
    make_private(folder)
    run_id = f"run_{int(time.time() * 1000):011x}{secrets.token_hex(8)}"  # ids sort by time
    asked = RequestedRun(run_id, list(names), by, datetime.now(UTC))
    _write(folder, asked)
    atomic_write(folder / f"{run_id}.queued", "")
    return asked


def read_request(workspace: Workspace, run_id: str) -> RequestedRun | None:
    """Return a run that was asked for; None if there is none."""
    if not run_id.startswith("run_") or not run_id.isidentifier():
        return None
    return _read(_folder(workspace) / f"{run_id}.json")


def read_lines(workspace: Workspace, run_id: str, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Return what happened in it, with the number of each line."""
    path = _folder(workspace) / f"{run_id}.ndjson"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [(number, json.loads(line)) for number, line in enumerate(lines, 1) if number > after]


def queued(workspace: Workspace) -> list[str]:
    """Return the ids of runs that wait, the oldest first."""
    return sorted(path.stem for path in _folder(workspace).glob("*.queued"))


def queue_again(workspace: Workspace) -> None:
    """Queue the runs that wait although nothing says so to the worker, because the machine ended in between."""
    folder = _folder(workspace)
    begun = {path.stem for path in folder.glob("*.ndjson")} | set(queued(workspace))
    for path in folder.glob("*.json"):
        if path.stem in begun or time.time() - path.stat().st_mtime < _BETWEEN:
            continue
        asked = _read(path)
        if asked is not None and asked.state == "queued":
            atomic_write(path.with_suffix(".queued"), "")


def carry_out(workspace: Workspace, run_id: str, execute: Execute) -> None:
    """Run what was asked for; what goes wrong is in its file.

    Args:
        workspace: the project.
        run_id: of what was asked for.
        execute: runs it, here or on a cluster.
    """
    folder = _folder(workspace)
    asked = _read(folder / f"{run_id}.json")
    if asked is None or asked.has_ended:
        (folder / f"{run_id}.queued").unlink(missing_ok=True)
        return
    asked = dataclasses.replace(asked, state="running", started_at=datetime.now(UTC))
    _write(folder, asked)
    (folder / f"{run_id}.queued").unlink(missing_ok=True)
    with (folder / f"{run_id}.ndjson").open("a", encoding="utf-8") as file:
        report = _Report(file)
        try:
            result = execute(workspace, asked.integrations, Request(), report.observer)
            report.add(event="ended", outcome=result.outcome, published=result.publication.published)
            asked = dataclasses.replace(asked, state=result.outcome)
        except Busy as error:
            asked = dataclasses.replace(asked, state="busy", error=redact(str(error)))
        except Exception as error:
            asked = dataclasses.replace(asked, state="failed", error=redact(str(error))[:1000])
            raise
        finally:
            _write(folder, dataclasses.replace(asked, ended_at=datetime.now(UTC)))


def recover(workspace: Workspace) -> None:
    """Mark what a worker that ended has left running, and remove what is old."""
    for path in _folder(workspace).glob("*.json"):
        asked = _read(path)
        if asked is not None and asked.state == "running":
            _write(path.parent, dataclasses.replace(asked, state="interrupted", ended_at=datetime.now(UTC)))
        elif asked is not None and asked.has_ended and path.stat().st_mtime < time.time() - _RETAINED:
            path.with_suffix(".ndjson").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


class _Report:
    """Writes a line for each thing that happens; progress at most every quarter of a second."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._counts: dict[tuple[str, str], int] = {}
        self._said: dict[str, float] = {}
        self.observer = Observer(
            phase=lambda name, phase: self.add(event="phase", integration=name, phase=phase),
            progress=self._progress,
            result=self._result,
            refreshing=lambda: self.add(event="refreshing"),
        )

    def add(self, **fields: Any) -> None:
        """Write a line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(json.dumps({**fields, "at": at}, ensure_ascii=False, default=str) + "\n")
        self._file.flush()

    def _progress(self, name: str, what: str, count: int) -> None:
        self._counts[name, what] = self._counts.get((name, what), 0) + count
        if time.monotonic() - self._said.get(name, 0) > 0.25:
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


def _folder(workspace: Workspace) -> Path:
    return workspace.project.state / "requests"


def _write(folder: Path, asked: RequestedRun) -> None:
    atomic_write(folder / f"{asked.id}.json", json.dumps(dataclasses.asdict(asked), default=str))


def _read(path: Path) -> RequestedRun | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    for name in ("requested_at", "started_at", "ended_at"):
        value[name] = value[name] and datetime.fromisoformat(value[name])
    return RequestedRun(**value)
