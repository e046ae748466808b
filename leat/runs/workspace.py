"""An opened project: its declarations, models and rules, its warehouse and its control store."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.control.overrides_file import is_file, overrides_in_file
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.profile import NoProfile
from leat.pipelines.declare.project import Project, load_declarations, open_project
from leat.runs.core_files import leave_no_core
from leat.runs.file_key import file_encryption
from leat.runs.printable import in_one_line, printable
from leat.security.policy_file import declares_grants
from leat.sources.settings import redact
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Warehouse
from leat.warehouse.url import check_control_of_lake

if TYPE_CHECKING:
    import sqlalchemy

    from leat.actions.automations.automation import Automation
    from leat.assets.report import Report
    from leat.catalog.describe import Described
    from leat.pipelines.load.cells import DataKeys
    from leat.runs.clearance import Decider
    from leat.security.gate import Gate
    from leat.security.policy_file import Security


class NoProject(Exception):
    """A folder can't be opened as a project; the text says why and what to do next."""


@dataclass(frozen=True)
class Workspace:
    """A project, and what is read or opened of it when it is first used; each of it once.

    Attributes:
        project: the project.
        offline: whether only files are read: a control store on a server isn't asked, and none is made.
    """

    project: Project
    offline: bool = False

    @cached_property
    def overrides(self) -> Mapping[str, Mapping[str, str]]:
        """What the control store overrides, by integration and key; a store that isn't there yet isn't made.

        Raises:
            WarehouseError: the control store can't be read.
        """
        if self.offline or is_file(self.project.control_url):
            return overrides_in_file(self.project.control_url)
        from leat.control.store import overrides

        return overrides(self.store)

    @cached_property
    def declarations(self) -> Mapping[str, Declaration]:
        """The declared integrations, with the overrides of the control store.

        Raises:
            DeclarationError: a declaration has a mistake.
        """
        return load_declarations(self.project, self.overrides)

    @cached_property
    def described(self) -> Described:
        """All that is declared: integrations, models, rules, and where columns come from.

        Raises:
            DeclarationError: with all mistakes of the first kind of file that has some.
        """
        from leat.assets.lineage import personal_columns  # sqlglot takes long to import
        from leat.assets.model_files import load_models
        from leat.catalog.describe import Described
        from leat.quality.rule_files import load_rules

        models = load_models(self.project, self.declarations)
        rules = load_rules(self.project, self.declarations, tuple(model.name for model in models))
        lineages = {model.name: model.lineage for model in models}
        personal = personal_columns(models, self.declarations)
        return Described(self.project, self.declarations, models, rules, lineages, personal)

    @cached_property
    def reports(self) -> tuple[Mapping[str, Report], Sequence[str]]:
        """The reports without a mistake, by name, and the mistakes of the others."""
        from leat.assets.report_files import read_reports

        return read_reports(self.project)

    @cached_property
    def automations(self) -> Mapping[str, Automation]:
        """The declared automations, by name.

        Raises:
            DeclarationError: with all mistakes of all files.
        """
        from leat.actions.automations.file import load_automations

        return load_automations(self.project, self.declarations)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse; nothing is opened before it is used.

        Raises:
            WarehouseError: ``LEAT_WAREHOUSE_ENCRYPTION`` says nothing that leat understands, or several machines may
                write the warehouse, and the control store is a file of this one.
        """
        check_control_of_lake(self.project.warehouse_url, self.project.control_url)
        encryption = file_encryption(self.project)
        warehouse = open_warehouse(self.project.warehouse_url, self.project.state, encryption)
        if declares_grants(self.project):
            warehouse.decide = self.decider
        return warehouse

    @cached_property
    def decider(self) -> Decider:
        """What decides what roles may read who connect to the warehouse itself."""
        from leat.runs.clearance import Decider

        return Decider(self.project, lambda: self.security, lambda: self.declarations)

    @cached_property
    def encrypts(self) -> bool:
        """Whether a column of an integration is declared to be encrypted.

        Raises:
            DeclarationError: a declaration has a mistake.
        """
        return any(declaration.encrypts for declaration in self.declarations.values())

    @cached_property
    def column_keys(self) -> DataKeys:
        """The keys that columns are encrypted with; none is read or made before it is used."""
        from leat.runs.data_keys import ColumnKeys

        return ColumnKeys(self.project)

    @cached_property
    def store(self) -> sqlalchemy.Engine:
        """The control store, made or migrated first where need be.

        Raises:
            WarehouseError: it can't be opened.
        """
        from leat.control.store import open_control

        return open_control(self.project.control_url)

    @cached_property
    def security(self) -> Security:
        """What ``policies/`` says: who may do what, how people sign in, where checkpoints of the audit log go.

        Raises:
            DeclarationError: a file there has a mistake.
        """
        from leat.security.policy_file import load_security

        return load_security(self.project)

    @cached_property
    def gate(self) -> Gate:
        """What decides whether somebody may do something, and records it.

        Raises:
            DeclarationError: a file in ``policies/`` has a mistake.
        """
        from leat.security.gate import Gate

        return Gate(self.security.policy, lambda: self.store)

    def close(self) -> None:
        """Close the connections to the control store and the warehouse."""
        if "store" in self.__dict__:
            self.store.dispose()
        if "warehouse" in self.__dict__:
            self.warehouse.close()


def open_workspace(folder: Path, *, may_be_empty: bool = False) -> Workspace:
    """Return the project of a folder, with logging to its state folder; from here on, a crash leaves no core file.

    Args:
        folder: the project folder.
        may_be_empty: whether a folder ``pipelines/`` without declarations will do.

    Raises:
        NoProject: nothing is declared there, or the state folder can hold no files.
    """
    try:
        project = open_project(folder)
    except NoProfile as error:
        raise NoProject(str(error)) from error
    if not project.declaration_paths() and not (may_be_empty and (project.folder / "pipelines").is_dir()):
        msg = f"no pipelines/*.yaml in {project.folder}. Next: `leat init` writes an example, or give --project"
        raise NoProject(msg)
    if set(str(project.state)) & set("%?"):
        msg = f"{project.state}: DuckDB and dlt can't use a folder with % or ? in its name; set LEAT_HOME"
        raise NoProject(msg)
    project.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    leave_no_core()
    _log_to(project.state / "logs" / "leat.log")
    return Workspace(project)


class _Redacting(logging.Formatter):
    converter = staticmethod(time.gmtime)  # times are UTC, and say so

    def format(self, record: logging.LogRecord) -> str:
        return printable(redact(super().format(record)))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        record.message = in_one_line(record.message)  # else a value could forge further lines
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging calls it so
        from leat.pipelines.load.error_message import traced

        return traced(ei[1])


class _Private(RotatingFileHandler):
    def _open(self) -> Any:
        Path(self.baseFilename).touch(mode=0o600)
        return super()._open()


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = _Private(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8", delay=True)
    form = _Redacting("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(form)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
