"""What a terminal shows while integrations are run."""

from __future__ import annotations

import threading

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from leat.cli.output import err
from leat.pipelines.load.results import IntegrationResult
from leat.quality.expectations import import_expectations
from leat.runs.printable import in_one_line
from leat.runs.recorder import Recorder
from leat.sources.http.calls import ApiCall


def shown_progress() -> Progress:
    """Return a display on stderr that is gone at the end; nothing is shown where that is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


class Display:
    """Shows per integration what is being done, and passes on to the recorder what it needs to know.

    ``parts`` are integrations of which single streams are run. Such a run says nothing of the others, which would count
    as fresh, so that it is no run of the integration: only the log has it.
    """

    def __init__(
        self, progress: Progress, recorder: Recorder | None = None, parts: frozenset[str] = frozenset()
    ) -> None:
        self._progress = progress
        self._recorder = recorder
        self._parts = parts
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}
        self._warming: threading.Thread | None = None

    def on_phase(self, integration: str, phase: str) -> None:
        """Show the phase of a run that begins."""
        if self._recorder is not None and integration not in self._parts:
            self._recorder.on_phase(integration, phase)
        if phase == "started":
            self._tasks[integration] = self._progress.add_task(f"{integration}: looking for news")
        elif phase == "extracting" and self._warming is None:
            # The checks will need it: importing takes seconds, and extracting waits for the network.
            self._warming = threading.Thread(target=import_expectations, daemon=True)
            self._warming.start()
        elif phase == "checking" and self._warming is not None:
            self._warming.join()  # two threads must not import one package at the same time
        self._show(integration, phase)

    def on_call(self, integration: str, call: ApiCall) -> None:
        """Pass on that a request was sent."""
        if self._recorder is not None and integration not in self._parts:
            self._recorder.on_call(integration, call)

    def on_progress(self, integration: str, what: str, count: int) -> None:
        """Show how many records were read."""
        self._counts[integration] = self._counts.get(integration, 0) + count
        self._show(integration, f"{what} ({self._counts[integration]:,})")

    def on_result(self, result: IntegrationResult) -> None:
        """Show no longer what has ended."""
        if self._recorder is not None and result.integration in self._parts:
            self._recorder.on_part(result)
        elif self._recorder is not None:
            self._recorder.on_result(result)
        task = self._tasks.pop(result.integration, None)
        if task is not None:
            self._progress.remove_task(task)

    def _show(self, integration: str, text: str) -> None:
        task = self._tasks.get(integration)
        if task is not None:
            self._progress.update(task, description=in_one_line(f"{integration}: {text}"))
