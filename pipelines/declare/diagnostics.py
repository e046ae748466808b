"""Diagnostics of declared files: file, line, path in the file, what is wrong, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from leat.pipelines.declare.yaml_file import Loc, YamlFile

_MEANING = {"missing": "is missing", "extra_forbidden": "unknown key"}
_UNION = ("union_tag_invalid", "union_tag_not_found")
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "keys with values",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_attributes_type": "keys with values",
    "model_type": "keys with values",
    "string_type": "text",
    "tuple_type": "a list",
}
_KINDS = {bool: "true or false", dict: "keys with values", float: "a number", int: "a number", list: "a list"}


def validation_diagnostics(
    file: YamlFile, shown: str, error: ValidationError, model: type[BaseModel], prefix: Loc
) -> list[str]:
    """Return one line per mistake that pydantic reports in a file; ``prefix`` is where the model is in it."""
    texts: dict[Loc, list[str]] = {}
    expected: dict[Loc, list[str]] = {}  # a union reports what each of its branches would have taken
    inputs: dict[Loc, Any] = {}
    for detail in error.errors(include_url=False):
        loc = prefix + _in_file(file, prefix, detail) + _tag_of(detail)
        if detail["type"] in _EXPECTED:
            expected.setdefault(loc, []).append(_EXPECTED[detail["type"]])
            inputs[loc] = detail["input"]
        else:
            texts.setdefault(loc, []).append(_text(detail, loc, model, prefix))
    for loc, wanted in expected.items():
        if not any(len(other) > len(loc) and other[: len(loc)] == loc for other in (*texts, *expected)):
            texts.setdefault(loc, []).insert(0, _instead(wanted, inputs[loc]))
    return [
        diagnostic_line(file, shown, loc, text) for loc, messages in texts.items() for text in dict.fromkeys(messages)
    ]


def diagnostic_line(file: YamlFile, shown: str, loc: Loc, text: str) -> str:
    """Return the line of a diagnostic: where it was written, the path in the file, and what is wrong."""
    origin = [name for path, name in file.overrides.items() if loc[: len(path)] == path]
    where = origin[0] if origin else f"{shown}:{file.line(loc)}"
    if loc and isinstance(loc[-1], int) and loc not in file.lines:
        loc = loc[:-1]  # one item that was written without brackets
    return f"{where}: {dotted(loc)}: {text}" if loc else f"{where}: {text}"


def meant(word: str, names: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` for the nearest of these names, or nothing."""
    close = difflib.get_close_matches(word, list(names), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def dotted(loc: Loc) -> str:
    """Return a path in a file as people write it: ``streams.refunds.checks[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _text(detail: ErrorDetails, loc: Loc, model: type[BaseModel], prefix: Loc) -> str:
    text = _MEANING.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    if detail["type"] in _UNION:
        context = detail.get("ctx", {})
        tags = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",")]
        tag = str(context.get("tag", ""))[:40]
        text = f"{tag!r} is unknown{meant(tag, tags)}; valid: {', '.join(tags)}" if tag else "is missing"
    elif detail["type"] == "extra_forbidden":
        text += meant(str(loc[-1]), _keys_at(model, loc[len(prefix) : -1]))
    return text.replace("Input should be", "expected").replace("Value should have", "expected")


def _instead(wanted: list[str], value: Any) -> str:
    got = "nothing" if value is None else _KINDS.get(type(value), "text")
    text = f"expected {' or '.join(dict.fromkeys(wanted))}, got {got}"
    scalar = isinstance(value, bool | int | float)
    return f"{text}; put it in quotes" if scalar and "text" in wanted else text


def _in_file(file: YamlFile, prefix: Loc, detail: ErrorDetails) -> Loc:
    """Return the error's path without the parts that pydantic adds for unions and validators."""
    loc: Loc = ()
    for i, part in enumerate(detail["loc"]):
        last_key = i == len(detail["loc"]) - 1 and detail["type"] == "missing"
        if last_key or (*prefix, *loc, part) in file.lines:
            loc = (*loc, part)
    return loc


def _tag_of(detail: ErrorDetails) -> Loc:
    """Return the key that decides which of several forms a block has, for a mistake in that key."""
    return (str(detail["ctx"]["discriminator"]).strip("'"),) if detail["type"] in _UNION else ()


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that a path may have; used for suggestions only."""
    models = [model]
    for part in loc:
        inside = [
            nested
            for each in models
            if str(part) in each.model_fields
            for nested in _models_in(each.model_fields[str(part)].annotation)
        ]
        models = inside or models  # the name of a stream, the number of an item
    return [name for each in models for name, field in each.model_fields.items() if not field.exclude]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type is made of: itself, or those in a union, a list, the values of keys."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
