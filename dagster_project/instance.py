"""The Dagster instance of a project: in its state folder, created when the UI is first opened."""

from __future__ import annotations

import os
from pathlib import Path

from leat.pipelines.declare.project import Project

WORKSPACE = Path(__file__).parent.parent / "workspace.yaml"
"""Names the code location, so that schedules are the same ones however the UI was started."""

_CONFIG = Path(__file__).parent.parent / "dagster.yaml"


def instance_folder(project: Project) -> Path:
    """Return ``DAGSTER_HOME``, or the folder of the instance in the project's state."""
    return Path(os.environ.get("DAGSTER_HOME") or project.state / "dagster")


def has_instance(project: Project) -> bool:
    """Return whether the UI has been prepared, so that what the command line did can be shown in it."""
    return (instance_folder(project) / "dagster.yaml").exists()


def prepare_instance(project: Project) -> Path:
    """Create the folder of the instance with leat's settings, and return it; existing settings stay."""
    folder = instance_folder(project)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text(_CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    return folder
