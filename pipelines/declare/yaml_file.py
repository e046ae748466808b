"""YAML with line numbers: every mistake in a declaration can say where it is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
import yaml.composer

from leat.limits import DECLARATION_BYTES as MAX_BYTES
from leat.limits import DECLARATION_DEPTH as _MAX_DEPTH

Loc = tuple[str | int, ...]
_CORE = "tag:yaml.org,2002:"
_HINTS = {
    "found character '\\t'": "indent with spaces, not with tabs",
    "while scanning an alias": "put text that begins with * in quotes",
    "while scanning an anchor": "put text that begins with & in quotes",
    "mapping values are not allowed": "check the indentation, and put text that has a colon in quotes",
    "that cannot start any token": "put the text in quotes",
    "could not determine a constructor": "leat knows no tags; put text that begins with ! in quotes",
}


class DeclarationError(Exception):
    """One or more mistakes in a declaration; its text has one line per mistake."""

    def __init__(self, diagnostics: list[str]) -> None:
        super().__init__("\n".join(diagnostics))
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file.

    Attributes:
        path: the file.
        value: what is in it.
        lines: the line of every key and item in it.
        overrides: paths whose values come from elsewhere, and what messages call that.
    """

    path: Path
    value: Any
    lines: dict[Loc, int]
    overrides: Mapping[Loc, str] = field(default_factory=dict)

    def line(self, loc: Loc) -> int:
        """Return the line of a path in the file, or of the nearest enclosing key that exists."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


def read_yaml(path: Path, shown: str) -> YamlFile:
    """Parse a file with the safe loader; aliases, tags and duplicate keys are refused.

    Args:
        path: the file.
        shown: how the file is called in messages.

    Raises:
        DeclarationError: it can't be read or isn't YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DeclarationError([f"{shown}: larger than {MAX_BYTES} bytes; is it a declaration?"])
        text = data.decode("utf-8")
    except OSError as error:
        raise DeclarationError([f"{shown}: can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DeclarationError([f"{shown}:{line}: not UTF-8; save the file in that encoding"]) from error
    return parse_yaml(text, path, shown)


def parse_yaml(text: str, path: Path, shown: str) -> YamlFile:
    """Parse YAML as :func:`read_yaml` does; a part of another file has empty lines before it for those it leaves out.

    Raises:
        DeclarationError: it isn't YAML.
    """
    lines: dict[Loc, int] = {}
    try:
        value = _parsed(text, shown, lines)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        diagnostic = f"{shown}:{line}: not YAML: the character {chr(int(error.character))!r} is not allowed"
        raise DeclarationError([diagnostic]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DeclarationError([f"{shown}:{mark.line + 1 if mark else 1}: {_explained(error)}"]) from error
    return YamlFile(path, value, lines)


def _parsed(text: str, shown: str, lines: dict[Loc, int]) -> Any:
    """Parse with libyaml, in a tenth of the time; where it objects, PyYAML's own scanner says better what is wrong."""
    with contextlib.suppress(yaml.YAMLError, UnicodeEncodeError):
        return _loaded(_FastLoader(text), shown, lines)
    lines.clear()
    return _loaded(_Loader(text), shown, lines)


def _loaded(loader: Any, shown: str, lines: dict[Loc, int]) -> Any:
    node = loader.get_single_node()
    if node is None:
        raise DeclarationError([f"{shown}:1: the file is empty; `leat init` writes an example"])
    return _value(loader, node, (), lines)


class _Composer(yaml.composer.Composer):
    """Refuses what lets a small file become endless: aliases, and nesting beyond reason."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, as PyYAML does."""
        mark = self.peek_event().start_mark  # type: ignore[attr-defined]
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            raise _Mistake(None, None, "an alias is not allowed; write the value again", mark)
        if self.depth > _MAX_DEPTH:
            raise _Mistake(None, None, f"nested deeper than {_MAX_DEPTH} levels", mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Loader(_Composer, yaml.SafeLoader):
    pass


class _FastLoader(_Composer, yaml.CSafeLoader):
    """PyYAML's composer, which can refuse, on the events of libyaml."""

    def __init__(self, text: str) -> None:
        yaml.composer.Composer.__init__(self)
        yaml.CSafeLoader.__init__(self, text)


class _Mistake(yaml.MarkedYAMLError):
    """What YAML allows and a declaration doesn't; its text is complete."""


def _explained(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _Mistake):
        return str(error.problem)
    text = f"{error.context or ''} {error.problem or ''}"
    hint = next((hint for part, hint in _HINTS.items() if part in text), None)
    return f"not YAML: {error.problem or error.context}" + (f"; {hint}" if hint else "")


def _value(loader: yaml.SafeLoader, node: yaml.Node, loc: Loc, lines: dict[Loc, int]) -> Any:
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(loader, node)
    if node.tag not in (f"{_CORE}map", f"{_CORE}seq"):
        raise _Mistake(None, None, f"the tag {node.tag.replace(_CORE, '!!')} is not allowed", node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*loc, i), lines) for i, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, item in node.value:
        key = _key(key_node)
        if key in result:
            where = ".".join(str(part) for part in (*loc, key))
            raise _Mistake(None, None, f"{where}: written twice", key_node.start_mark)
        lines[*loc, key] = key_node.start_mark.line + 1
        result[key] = _value(loader, item, (*loc, key), lines)
    return result


def _key(node: yaml.Node) -> str:
    """Return a key as it is written: ``on`` is no boolean here."""
    if not isinstance(node, yaml.ScalarNode):
        raise _Mistake(None, None, "a key is plain text, not a list or a mapping", node.start_mark)
    if node.tag == f"{_CORE}merge":
        raise _Mistake(None, None, "merging by << is not allowed; write the keys again", node.start_mark)
    return str(node.value)


def _scalar(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_object(node)
    except (ValueError, OverflowError, LookupError, AttributeError, TypeError) as error:
        kind = node.tag.removeprefix(_CORE)
        text = f"{node.value[:80]!r} is no {kind}; put it in quotes if it is meant as text"
        raise _Mistake(None, None, text, node.start_mark) from error
