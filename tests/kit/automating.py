"""A project with automations: ``tally`` has rows, a rule finds violations among them, and ``desk`` acts on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Request
from leat.runs.result import RunResult
from leat.runs.run import run
from leat.runs.workspace import Workspace
from leat.sources.driver import add_sources
from tests.kit.project import SOURCES, Tally, full_scan, rows

RULE = """\
/* ---
title: No label is bad
next_step: Mark it.
key: [shelf, id]
--- */
SELECT shelf, id, label FROM tally.scanned WHERE _deleted_at IS NULL AND label = 'bad'
"""

MARK_BAD = """\
description: Mark what is bad.
when: {violation_opened: bad_label}
do:
  - desk.guarded: {place: "p{{ row.id }}", value: "{{ row.id }}"}
"""


@dataclass(frozen=True)
class Automated:
    """The project; plain data, so that a process of its own can open it."""

    folder: Path
    control_url: str
    desk_url: str = ""

    def declare(self) -> None:
        """Write the declarations and the rule."""
        Tally(self.folder).declare()
        text = f"source: desk\ndriver: book\nconnection: {{url: '{self.desk_url}'}}\n"
        (self.folder / "pipelines" / "desk.yaml").write_text(text)
        (self.folder / "quality" / "rules").mkdir(parents=True)
        (self.folder / "quality" / "rules" / "bad_label.sql").write_text(RULE)
        (self.folder / "automations").mkdir()

    def write(self, text: str = MARK_BAD, name: str = "mark_bad") -> None:
        """Write an automation."""
        (self.folder / "automations" / f"{name}.yaml").write_text(dedent(text))

    @contextmanager
    def open(self) -> Iterator[Workspace]:
        """Open the project."""
        add_sources(SOURCES)
        workspace = Workspace(Project(self.folder, self.folder / ".leat", None, self.control_url))
        try:
            yield workspace
        finally:
            workspace.close()

    def mistakes(self, text: str) -> list[str]:
        """Return what is wrong with an automation."""
        from leat.actions.automations.file import read_automations

        self.write(text)
        with self.open() as workspace:
            return read_automations(workspace.project, load_declarations(workspace.project))[1]

    def has(self, *labels: str) -> None:
        """Let the next run read these labels, of the items 1, 2, …, and no others."""
        items: list[dict[str, Any]] = [{"shelf": "a", "id": n, "label": label} for n, label in enumerate(labels, 1)]
        Tally(self.folder).then(rows("scanned", *items), full_scan("scanned"))

    def run(self) -> RunResult:
        """Run the project."""
        with self.open() as workspace:
            return run(workspace, ["tally"], Request())
