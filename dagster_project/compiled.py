"""What Dagster's definitions are compiled from, and the names under which Dagster has it."""

from __future__ import annotations

import hashlib
import keyword
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from leat.catalog.describe import Described
from leat.pipelines.declare.project import open_project
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.runs.core_files import leave_no_core
from leat.runs.workspace import Workspace

POOL = "warehouse"
"""The pool of every step that writes the warehouse; its limit is in ``dagster.yaml``."""

VIOLATIONS = dg.AssetKey(["leat", "violations"])
"""The asset of the rules: the ledger of their violations."""

_NOT_ALLOWED = frozenset(
    {"arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "int", "meta", "output", "str", "type"}
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A project as definitions see it.

    Attributes:
        workspace: the project as it was when definitions were loaded.
        retry_waits: seconds before each retry of a step.
    """

    workspace: Workspace
    retry_waits: tuple[float, ...] = (5, 30, 120)
    _streams: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def described(self) -> Described:
        """The integrations, models and rules that definitions are made of."""
        return self.workspace.described

    @property
    def storage(self) -> str:
        """The kind of warehouse."""
        return self.workspace.warehouse.dialect.engine

    @contextmanager
    def current(self) -> Iterator[Workspace]:
        """Give the project as it is now, for a step: with the overrides of any control store."""
        workspace = Workspace(self.workspace.project)
        try:
            yield workspace
        finally:
            workspace.close()

    def asset_of(self, table: TableName) -> dg.AssetKey | None:
        """Return the asset that a table belongs to: its model, or its stream also for ``<stream>_history``."""
        if table.schema == ANALYTICS:
            return dg.AssetKey([ANALYTICS, table.name])
        if table.schema not in self._streams:  # a project with 86 models asks 2,400 times
            declaration = self.described.declarations.get(table.schema)
            self._streams[table.schema] = (
                frozenset(s.name for s in declaration.selected()) if declaration else frozenset()
            )
        for name in (table.name, table.name.removesuffix("_history")):
            if name in self._streams[table.schema]:
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


def compile_folder(folder: Path) -> Compiled:
    """Read the project of a folder, with the overrides of a control store that is a file; a crash leaves no core.

    Raises:
        DeclarationError: with all mistakes of the first kind of file that has some.
    """
    leave_no_core()
    compiled = Compiled(Workspace(open_project(folder), offline=True))
    _ = compiled.described  # now, and not in the middle of a definition
    return compiled


def group_name(name: str) -> str:
    """Return the name of an integration as Dagster takes it for a group: words of Python get an underscore."""
    return f"{name}_" if keyword.iskeyword(name) or name in _NOT_ALLOWED else name


def files_version(paths: list[Path]) -> str:
    """Return 12 hexadecimal digits of a SHA-256 over names and contents of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
