"""YAML with line numbers: every mistake in a declaration can say where it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Loc = tuple[str | int, ...]
MAX_BYTES = 1_000_000


class DeclarationError(Exception):
    """One or more mistakes in a declaration; its text has one line per mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file: its value, and the line of every key and item in it."""

    path: Path
    value: Any
    lines: dict[Loc, int]

    def line(self, loc: Loc) -> int:
        """Return the line of a path in the file, or of the nearest enclosing key that exists."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


def read_yaml(path: Path, shown: str) -> YamlFile:
    """Parse a file with the safe loader; anchors, tags and duplicate keys are refused.

    Args:
        path: the file.
        shown: how the file is called in messages.

    Raises:
        DeclarationError: it can't be read or isn't YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeclarationError([f"{shown}: can't be read: {error}"]) from error
    if len(text) > MAX_BYTES:
        raise DeclarationError([f"{shown}: larger than {MAX_BYTES} bytes; is it a declaration?"])
    return parse_yaml(text, path, shown)


def parse_yaml(text: str, path: Path, shown: str) -> YamlFile:
    """Parse YAML as :func:`read_yaml` does; a part of another file has empty lines before it for those it leaves out.

    Raises:
        DeclarationError: it isn't YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise DeclarationError([f"{shown}:1: the file is empty; `leat init` writes an example"])
        lines: dict[Loc, int] = {}
        value = _value(loader, node, (), lines, shown)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DeclarationError([f"{shown}:{line}: not YAML: {error.problem or error.context}"]) from error
    finally:
        loader.dispose()
    return YamlFile(path, value, lines)


def _value(loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, lines: dict[Loc, int], shown: str) -> Any:
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, item in node.value:
            key = str(loader.construct_object(key_node))
            if key in result:
                raise DeclarationError([f"{shown}:{key_node.start_mark.line + 1}: {key}: written twice"])
            lines[*loc, key] = key_node.start_mark.line + 1
            result[key] = _value(loader, item, (*loc, key), lines, shown)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*loc, i), lines, shown) for i, item in enumerate(node.value)]
    return loader.construct_object(node)
