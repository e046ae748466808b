"""The project as it is declared now: opened again when its files have changed, else what is in memory is used again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from leat.pipelines.declare.profile import current_profile, read_variables
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.workspace import Workspace
from leat.serve.unavailable import ERRORS

_LOOK = 1.0  # seconds between looks at the files
_AGE = 60.0
"""Seconds after which it is opened again in any case: overrides in the control store have no file to look at."""


class Current:
    """The newest workspace of a project.

    Args:
        workspace: the first one.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._generation = 0
        self._seen = self._files()
        self._opened = self._looked = time.monotonic()
        self._lock = threading.Lock()

    def workspace_at_hand(self) -> Workspace | None:
        """Return the project if its files were looked at a moment ago; None when :meth:`workspace` would look."""
        return self._workspace if time.monotonic() - self._looked < _LOOK else None

    def generation_of(self, workspace: Workspace) -> int | None:
        """Return a number that only this opening of the project has; None if it has been opened again since."""
        generation = self._generation  # before the comparison: the project may be opened again meanwhile
        return generation if workspace is self._workspace else None

    def workspace(self, *, at_once: bool = False) -> Workspace:
        """Return the project; while a declaration has a mistake, or the control store doesn't answer, as it was before.

        Args:
            at_once: whether to look at the files although they were looked at a moment ago.

        Raises:
            DeclarationError: it never was without mistakes.
        """
        with self._lock:
            if time.monotonic() - self._looked < _LOOK and not at_once:
                return self._workspace
            self._looked = time.monotonic()
            now = self._files()
            if now != self._seen or time.monotonic() - self._opened > _AGE:
                fresh = Workspace(self._workspace.project)
                read_variables(fresh.project.folder)
                try:
                    _ = fresh.declarations
                except (DeclarationError, *ERRORS) as error:
                    if "declarations" not in self._workspace.__dict__:
                        raise
                    if isinstance(error, ERRORS):  # the control store has its overrides: look again in a second
                        return self._workspace
                else:
                    for name in ("store", "warehouse"):  # connections stay open
                        if name in self._workspace.__dict__:
                            fresh.__dict__[name] = self._workspace.__dict__[name]
                    self._workspace = fresh
                    self._generation += 1
                self._seen, self._opened = now, time.monotonic()
            return self._workspace

    def _files(self) -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_mtime_ns) for path in self._paths() if path.exists()]

    def _paths(self) -> Iterator[Path]:
        project = self._workspace.project
        yield current_profile(project.folder).variables
        yield from project.declaration_paths()
        for folder in ("assets/models", "assets/reports", "quality/rules", "automations", "policies"):
            yield from sorted((project.folder / folder).glob("*.*"))
