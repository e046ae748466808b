"""The demo as a project: what leat declares for its own demo, written into an empty folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import leat

_DECLARED = (
    "assets/models/*.sql",
    "assets/reports/*.yaml",
    "quality/rules/*.sql",
    "quality/alerts*",
    "policies/*",
    "templates/*",
    "automations/*.sql",
    "automations/*.yaml",
    "automations/schema.json",
    "pipelines/schema.json",
    "pipelines/*.yaml",  # last: they make the folder a project, so a copy that was interrupted is made again
)


def declared_systems() -> frozenset[str]:
    """Return the names of the demo's declarations."""
    return frozenset(path.stem for path in _files("pipelines/*.yaml"))


def shipped_automations() -> frozenset[str]:
    """Return the names of the demo's automations."""
    return frozenset(path.stem for path in _files("automations/*.yaml"))


def write_project(folder: Path) -> None:
    """Write the demo's declarations, models, reports, rules, automations and alerts into a folder.

    Args:
        folder: created if need be; files of the same names are replaced.
    """
    root = _root()
    for pattern in _DECLARED:
        for file in _files(pattern):
            target = folder / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _root() -> Path:
    return Path(leat.__path__[0])


def _files(pattern: str) -> Iterator[Path]:
    return (path for path in sorted(_root().glob(pattern)) if path.is_file())
