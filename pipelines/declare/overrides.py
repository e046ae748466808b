"""Overrides of a declaration in the control store (``integration_config``): a dotted path and YAML text."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.yaml_file import DeclarationError, Loc, YamlFile, parse_yaml

OVERRIDABLE = ("description", "enabled", "schedule", "streams", "zone")
"""What may be overridden; where a system is and how to sign in may not, for it would lead secrets elsewhere."""


def apply_overrides(file: YamlFile, name: str, overrides: Mapping[str, str]) -> YamlFile:
    """Return a parsed declaration with overrides in it; what they say is validated with the rest.

    Args:
        file: the declaration, a mapping.
        name: name of the integration, for messages.
        overrides: dotted path, such as ``streams.events.selected``, to YAML text.

    Raises:
        DeclarationError: with every key that can't be overridden, and every value that isn't YAML.
    """
    value, lines, origins = copy.deepcopy(file.value), dict(file.lines), dict(file.overrides)
    diagnostics: list[str] = []
    for key, text in sorted(overrides.items()):  # a path comes before those below it
        origin = f"integration_config {name}.{key}"
        loc: Loc = tuple(key.split("."))
        try:
            item = parse_yaml(text, file.path, origin)
            _put(value, loc, item.value, origin)
        except DeclarationError as error:
            diagnostics += error.diagnostics
        else:
            lines = {old: line for old, line in lines.items() if old[: len(loc)] != loc}
            made = [above for i in range(1, len(loc)) if (above := loc[:i]) not in lines]
            lines |= {(*loc, *below): line for below, line in item.lines.items()} | dict.fromkeys(made, 1)
            origins |= dict.fromkeys([loc, *made], origin)
    if diagnostics:
        raise DeclarationError(diagnostics)
    longest_first = sorted(origins.items(), key=lambda item: -len(item[0]))
    return replace(file, value=value, lines=lines, overrides=dict(longest_first))


def _put(value: dict[str, Any], loc: Loc, new: Any, origin: str) -> None:
    if loc[0] not in OVERRIDABLE:
        near = meant(str(loc[0]), OVERRIDABLE)
        raise DeclarationError([f"{origin}: can't be overridden{near}; can be: {', '.join(OVERRIDABLE)}"])
    for i, part in enumerate(loc[:-1]):
        value[str(part)] = inner = {} if value.get(str(part)) is None else value[str(part)]
        if not isinstance(inner, dict):
            raise DeclarationError([f"{origin}: {'.'.join(map(str, loc[: i + 1]))} has no keys"])
        value = inner
    value[str(loc[-1])] = new
