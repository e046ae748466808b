"""Where a file of the project names a host: for the message about one that leat may not connect to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leat.pipelines.declare.declared_file import yaml_paths
from leat.pipelines.declare.yaml_file import DeclarationError, Loc, YamlFile, read_yaml


def place_of_host(folder: Path, name: str, host: str) -> str | None:
    """Return file and line where whatever wants to connect to a host names it.

    Args:
        folder: the project folder.
        name: of an integration, a channel of alerts, an endpoint of webhooks, or a key of ``policies/``.
        host: as it would be connected to.

    Returns:
        ``file:line``: of the host itself or of the variable that has it, else of the declaration; None without one.
    """
    declared = list(_declared(folder, name))
    for file, at, value in declared:
        for loc, text in _texts(value, at):
            if host.lower() in text.lower():
                return _shown(folder, file, loc)
    return next((_shown(folder, file, at) for file, at, _ in declared), None)


def _shown(folder: Path, file: YamlFile, loc: Loc) -> str:
    return f"{file.path.relative_to(folder)}:{file.line(loc)}"


def _declared(folder: Path, name: str) -> Iterator[tuple[YamlFile, Loc, Any]]:
    """Yield what is declared under a name: the file, where in it, and what."""
    quality = folder / "quality"
    places: list[tuple[Path, Loc]] = [
        (folder / "pipelines" / f"{name}.yaml", ("connection",)),
        (quality / "alerts.yaml", ("channels", name)),
        (quality / "webhooks.yaml", ("endpoints", name)),
        *((path, (name,)) for path in yaml_paths(folder / "policies")),
    ]
    for path, loc in places:
        try:
            file = read_yaml(path, str(path))
        except DeclarationError:  # it isn't there, or another message says what is wrong with it
            continue
        value: Any = file.value
        for key in loc:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            yield file, loc, value


def _texts(value: Any, at: Loc) -> Iterator[tuple[Loc, str]]:
    """Yield the texts in a value, and what the variables have that it names."""
    if isinstance(value, dict):
        for key, item in value.items():
            named = os.environ.get(item) if key == "env" and isinstance(item, str) else None
            yield from [(at, named)] if named else _texts(item, (*at, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*at, number))
    elif isinstance(value, str):
        yield at, value
