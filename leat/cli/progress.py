"""What a terminal shows while integrations are run."""

from __future__ import annotations

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from leat.cli.output import err
from leat.pipelines.load.results import IntegrationResult
from leat.runs.load import Observer
from leat.runs.printable import in_one_line


def shown_progress() -> Progress:
    """Return a display on stderr that is gone at the end; nothing is shown where that is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


class Display:
    """Shows what is being done for each integration, then that models and rules follow."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, int] = {}

    @property
    def observer(self) -> Observer:
        """What a run calls to be shown."""
        return Observer(self._on_phase, self._on_progress, self._on_result, self._on_refreshing)

    def _on_phase(self, integration: str, phase: str) -> None:
        if phase == "started":
            self._tasks[integration] = self._progress.add_task(f"{integration}: looking for news")
        self._show(integration, phase)

    def _on_progress(self, integration: str, what: str, count: int) -> None:
        self._counts[integration] = self._counts.get(integration, 0) + count
        self._show(integration, f"{what} ({self._counts[integration]:,})")

    def _on_result(self, result: IntegrationResult) -> None:
        task = self._tasks.pop(result.integration, None)
        if task is not None:
            self._progress.remove_task(task)

    def _on_refreshing(self) -> None:
        self._progress.add_task("models and rules")

    def _show(self, integration: str, text: str) -> None:
        task = self._tasks.get(integration)
        if task is not None:
            self._progress.update(task, description=in_one_line(f"{integration}: {text}"))
