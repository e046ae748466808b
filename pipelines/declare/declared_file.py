"""A YAML file that one model describes: read, validated, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from leat.pipelines.declare.diagnostics import validation_diagnostics
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile, read_yaml

M = TypeVar("M", bound=BaseModel)


def yaml_paths(folder: Path) -> list[Path]:
    """Return the YAML files of a folder, sorted; the folder need not be there."""
    return sorted(path for path in folder.glob("*.y*ml") if not path.name.startswith("."))


def read_declared(path: Path, shown: str, model: type[M], first_key: str) -> tuple[YamlFile, M]:
    """Return a file with its lines, and what it declares.

    Args:
        path: the file.
        shown: how the file is called in messages.
        model: what it has to be.
        first_key: a key that such a file has, for the message about a file without any.

    Raises:
        DeclarationError: with all mistakes that the model can see.
    """
    file = read_yaml(path, shown)
    if not isinstance(file.value, dict):
        raise DeclarationError([f"{shown}:1: expected keys such as `{first_key}:`"])
    try:
        return file, model.model_validate(file.value)
    except ValidationError as error:
        raise DeclarationError(validation_diagnostics(file, shown, error, model, ())) from error


def check_file_name(path: Path, shown: str, name: re.Pattern[str] | None = None, example: str = "") -> None:
    """Refuse a file that would be overlooked, or whose name can't be one of what it declares.

    Args:
        path: the file.
        shown: how the file is called in messages.
        name: what its name without the ending has to be; None for anything.
        example: such a name.

    Raises:
        DeclarationError: it has to be renamed.
    """
    if path.suffix != ".yaml":
        raise DeclarationError([f"{shown}: rename the file to {path.stem}.yaml, else it isn't read"])
    if name is not None and not name.fullmatch(path.stem):
        raise DeclarationError([f"{shown}: the file's name must be a lower-case identifier, like {example}"])
