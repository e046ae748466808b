"""Some of the models that the project ships, read without all others."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from assets.model_files import Model, load_models
from tests.loaded import REPOSITORY, declare, project


def some_models(folder: Path, names: Iterable[str], integrations: Iterable[str]) -> tuple[Model, ...]:
    """Copy the files of models into a project of their own and return them, inputs first.

    Args:
        folder: an empty folder.
        names: the models; those that they read have to be among them.
        integrations: what the project declares.
    """
    (folder / "assets" / "models").mkdir(parents=True)
    for name in names:
        for file in (REPOSITORY / "assets" / "models").glob(f"{name}.*"):
            shutil.copy(file, folder / "assets" / "models")
    return load_models(project(folder), {name: declare(name) for name in integrations})
