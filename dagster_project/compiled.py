"""What Dagster's definitions are compiled from: declarations, models and rules, read once and never executed."""

from __future__ import annotations

import hashlib
import keyword
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import dagster as dg

from leat.assets.lineage import Lineage, personal_columns
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.control.overrides_file import overrides_in_file
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, load_declarations, open_project
from leat.pipelines.declare.sql_file import ANALYTICS, TableName
from leat.quality.rule_files import Rule, load_rules
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import Dialect, Warehouse

POOL = "warehouse"
"""The pool of every step that writes the warehouse; its limit is in ``dagster.yaml``."""

VIOLATIONS = dg.AssetKey(["leat", "violations"])
"""The asset of the rules: the ledger of what they found."""

_NOT_ALLOWED = frozenset(
    {"arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "int", "meta", "output", "str", "type"}
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A project as definitions see it.

    Attributes:
        project: the project.
        declarations: its integrations by name.
        models: its models, in build order.
        rules: its rules.
        lineages: of each model, where its columns come from.
        personal: of each model, its columns with personal data.
        retry_waits: seconds before each retry of a step.
    """

    project: Project
    declarations: Mapping[str, Declaration]
    models: tuple[Model, ...]
    rules: tuple[Rule, ...]
    lineages: Mapping[str, Lineage]
    personal: Mapping[str, frozenset[str]]
    retry_waits: tuple[float, ...] = (5, 30, 120)

    @property
    def storage(self) -> Dialect:
        """The kind of warehouse."""
        return "duckdb" if self.project.warehouse_url is None else "postgres"

    def warehouse(self) -> Warehouse:
        """Return the warehouse; it isn't opened before it is used."""
        return open_warehouse(self.project.warehouse_url, self.project.state)

    def current(self) -> Compiled:
        """Return this with the declarations as they are now, for a run: with the overrides of any control store."""
        from leat.control.store import open_control, overrides  # SQLAlchemy isn't imported for definitions

        store = open_control(self.project.control_url)
        try:
            return replace(self, declarations=load_declarations(self.project, overrides(store)))
        finally:
            store.dispose()

    def good_runs(self) -> dict[str, datetime]:
        """Return when each integration was last read to the end, UTC."""
        from leat.control.store import last_good_runs, open_control

        store = open_control(self.project.control_url)
        try:
            return last_good_runs(store)
        finally:
            store.dispose()

    def asset_of(self, table: TableName) -> dg.AssetKey | None:
        """Return the asset that a table belongs to: its model, or its stream also for ``<stream>_history``."""
        if table.schema == ANALYTICS:
            return dg.AssetKey([ANALYTICS, table.name])
        declaration = self.declarations.get(table.schema)
        streams = () if declaration is None else [stream.name for stream in declaration.selected()]
        for name in (table.name, table.name.removesuffix("_history")):
            if name in streams:
                return dg.AssetKey([table.schema, name])
        return None

    def inputs(self, tables: tuple[TableName, ...]) -> list[dg.AssetKey]:
        """Return the assets that tables belong to, each once, in order; the engine's own tables are no assets."""
        return list(dict.fromkeys(key for table in tables if (key := self.asset_of(table)) is not None))


def project_folder() -> Path:
    """Return ``LEAT_PROJECT``, else the current folder if it has declarations, else the folder of leat itself."""
    named = os.environ.get("LEAT_PROJECT")
    here = Path.cwd()
    return Path(named) if named else here if (here / "pipelines").is_dir() else Path(__file__).resolve().parents[1]


def compile_project(project: Project, declarations: Mapping[str, Declaration]) -> Compiled:
    """Read the models and rules of a project.

    Raises:
        DeclarationError: with all mistakes of the first kind of file that has some.
    """
    models = load_models(project, declarations)
    rules = load_rules(project, declarations, tuple(model.name for model in models))
    lineages = {model.name: model.lineage for model in models}
    personal = personal_columns(models, declarations)
    return Compiled(project, declarations, models, rules, lineages, personal)


def compile_folder(folder: Path) -> Compiled:
    """Read the project of a folder, with the overrides of a control store that is a file.

    Raises:
        DeclarationError: see :func:`compile_project`.
    """
    project = open_project(folder)
    return compile_project(project, load_declarations(project, overrides_in_file(project.control_url)))


def group_name(name: str) -> str:
    """Return the name of an integration as Dagster takes it for a group: words of Python get an underscore."""
    return f"{name}_" if keyword.iskeyword(name) or name in _NOT_ALLOWED else name


def files_version(paths: list[Path]) -> str:
    """Return 12 hexadecimal digits of a SHA-256 over names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
