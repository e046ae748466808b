"""Where a project is, and its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder and where its state is.

    Attributes:
        folder: the project folder.
        state: ``LEAT_HOME``, or ``.leat`` in the folder; a profile has its own below that.
        warehouse_url: ``LEAT_WAREHOUSE``; None for the embedded DuckDB warehouse.
        control_url: ``LEAT_CONTROL``, or SQLite in the state folder.
        file_encryption: ``LEAT_WAREHOUSE_ENCRYPTION``: where the key of the DuckDB files is; empty for none.
    """

    folder: Path
    state: Path
    warehouse_url: str | None
    control_url: str
    file_encryption: str = ""

    def declaration_paths(self) -> list[Path]:
        """Return the files of the declarations, sorted by name; ``.yml`` too, so that it can be refused."""
        paths = (path for ending in ("*.yaml", "*.yml") for path in (self.folder / "pipelines").glob(ending))
        return sorted(path for path in paths if not path.name.startswith("."))

    def shown(self, path: Path) -> str:
        """Return a path as messages show it: relative to the project where it can be."""
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)
