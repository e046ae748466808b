"""An opened project: what every command starts from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, load_declarations, open_project
from leat.runs.printable import printable
from leat.sources.settings import redact
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Warehouse

if TYPE_CHECKING:
    import sqlalchemy


class NoProject(Exception):
    """A folder can't be opened as a project; the text says why and what to do next."""


@dataclass(frozen=True)
class Workspace:
    """A project, and what is opened of it when it is first used."""

    project: Project

    @cached_property
    def declarations(self) -> Mapping[str, Declaration]:
        """The declared integrations, with the overrides of the control store.

        Raises:
            DeclarationError: a declaration has a mistake.
        """
        from leat.control.store import overrides

        return load_declarations(self.project, overrides(self.store))

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse of the project."""
        return open_warehouse(self.project.warehouse_url, self.project.state)

    @cached_property
    def store(self) -> sqlalchemy.Engine:
        """The control store of the project."""
        from leat.control.store import open_control

        return open_control(self.project.control_url)


def open_workspace(folder: Path) -> Workspace:
    """Return the project of a folder, with logging to its state folder.

    Raises:
        NoProject: nothing is declared there, or nothing can be kept in the state folder.
    """
    project = open_project(folder)
    if not project.declaration_paths():
        msg = f"no pipelines/*.yaml in {project.folder}. Next: `leat init` writes an example, or give --project"
        raise NoProject(msg)
    if set(str(project.state)) & set("%?"):
        msg = f"{project.state}: DuckDB and dlt can't keep files in a folder with % or ? in its name; set LEAT_HOME"
        raise NoProject(msg)
    project.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    _log_to(project.state / "logs" / "leat.log")
    return Workspace(project)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(redact(super().format(record)))


class _Private(RotatingFileHandler):
    def _open(self) -> Any:
        Path(self.baseFilename).touch(mode=0o600)
        return super()._open()


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _Private(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8", delay=True)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
