"""Templates of automations and of declared actions: text with expressions, filled in by Jinja in a sandbox.

A text that is one expression and nothing else gives the value of that expression, so that a number stays a number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment


_PATHS = re.compile(r"(?<!\{)\{\{ ?([a-z_]+(?:\.[a-z_]+)*(?: or [a-z_]+(?:\.[a-z_]+)*)*) ?\}\}(?!\})")
_WORDS = frozenset(
    {"and", "else", "false", "if", "in", "is", "none", "not", "or", "self", "super", "true"}
) | frozenset({"cycler", "dict", "joiner", "lipsum", "namespace", "range"})
"""What Jinja may read as something else than the name of a variable."""


class TemplateProblem(Exception):
    """A template has a mistake, or needs a value that isn't there."""


class Values:
    """Values by name as templates read them, ``row.name``; a name such as ``items`` is no method.

    Args:
        values: the values.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        """Return the value with that name."""
        return self._values[name]


def plain(value: Any) -> Any:
    """Return values that templates use as JSON."""
    if isinstance(value, Values):
        return dict(value._values)
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def as_values(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return variables of templates that were stored as JSON, as they were."""
    return {name: _as_values(value) for name, value in context.items()}


def _as_values(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_values(each) for each in value]
    return Values(value) if isinstance(value, dict) else value


def fill(value: Any, context: Mapping[str, Any], optional: Collection[str] = ()) -> Any:
    """Return a value of YAML in which the expressions of all texts are evaluated.

    Args:
        value: the value.
        context: the variables.
        optional: variables that may be missing: an entry that is one of them and nothing else is then left out.

    Raises:
        TemplateProblem: one can't be.
    """
    if isinstance(value, Mapping):
        return {
            name: fill(each, context, optional)
            for name, each in value.items()
            if not _left_out(each, context, optional)
        }
    if isinstance(value, list | tuple):
        return [fill(each, context, optional) for each in value if not _left_out(each, context, optional)]
    return _filled(value, context) if isinstance(value, str) else value


def _left_out(value: Any, context: Mapping[str, Any], optional: Collection[str]) -> bool:
    if not optional or not isinstance(value, str) or not is_template(value):
        return False
    name = (_expression(value) or "").strip()
    return name in optional and name not in context


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return the value of an expression.

    Raises:
        TemplateProblem: it has none.
    """
    return _filled("{{" + expression + "}}", context)


def names_in(value: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield the variables that a value of YAML uses, each with the attributes of it that are used.

    Raises:
        TemplateProblem: a template has a mistake.
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, str):
        yield from sorted((_names_of_paths(value) or _names(value)).items())


def _names(text: str) -> dict[str, set[str]]:
    """Return the variables of a template with their attributes."""
    if not is_template(text):
        return {}
    from jinja2.meta import find_undeclared_variables

    tree = _tree(text)
    used = list(_attributes(tree))
    return {name: {attribute for owner, attribute in used if owner == name} for name in find_undeclared_variables(tree)}


def _names_of_paths(text: str) -> dict[str, set[str]]:
    """Return the same without Jinja, which takes long to import, if all expressions are paths; otherwise nothing."""
    names: dict[str, set[str]] = {}
    if is_template(_PATHS.sub("", text)):
        return {}
    for expression in _PATHS.findall(text):
        for path in expression.split(" or "):
            first, *attributes = path.split(".")
            if first in _WORDS:
                return {}
            names.setdefault(first, set()).update(attributes[:1])
    return names


def is_template(value: Any) -> bool:
    """Return whether a value of YAML has an expression in it."""
    if isinstance(value, Mapping):
        return any(map(is_template, value.values()))
    if isinstance(value, list | tuple):
        return any(map(is_template, value))
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))


def _attributes(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    from jinja2 import nodes

    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            yield node.node.name, node.attr
        elif (
            isinstance(node, nodes.Getitem)
            and isinstance(node.node, nodes.Name)
            and isinstance(node.arg, nodes.Const)
            and isinstance(node.arg.value, str)
        ):
            yield node.node.name, node.arg.value


def _filled(text: str, context: Mapping[str, Any]) -> Any:
    if not is_template(text):
        return text
    from jinja2 import StrictUndefined

    try:
        expression = _expression(text)
        if expression is None:
            return _template(text).render(context)
        value = _template("{% set value = (" + expression + ") %}").make_module(dict(context)).value  # type: ignore[attr-defined]
    except Exception as error:  # whatever an expression of a user raises
        raise TemplateProblem(_said(text, error)) from error
    if isinstance(value, StrictUndefined):
        raise TemplateProblem(_said(text, ValueError(value._undefined_message)))
    return value


@lru_cache(1000)
def _expression(text: str) -> str | None:
    """Return what is between the braces of a text that is one expression and nothing else."""
    from jinja2 import nodes

    inside = text.strip()
    body = _tree(inside).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    if isinstance(body[0].nodes[0], nodes.TemplateData):
        return None
    inside = inside[2:-2]
    inside = inside[1:] if inside.startswith(("-", "+")) else inside  # marks that trim the space around
    return inside[:-1] if inside.endswith(("-", "+")) else inside


@lru_cache(1)
def _environment() -> ImmutableSandboxedEnvironment:
    """Return Jinja's environment; many declarations have no template, and then nothing of Jinja is imported."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined)


@lru_cache(1000)
def _template(text: str) -> Template:
    return _environment().from_string(text)


def _tree(text: str) -> nodes.Template:
    from jinja2 import TemplateError

    try:
        return _environment().parse(text)
    except TemplateError as error:
        raise TemplateProblem(_said(text, error)) from error


def _said(text: str, error: Exception) -> str:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return f"{shown!r}: {str(error) or type(error).__name__}"
