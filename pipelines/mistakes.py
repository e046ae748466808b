"""How a mistake in a declared file is told: file, line, path in the file, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.declaration import Check, StreamOptions
from pipelines.yaml_file import Loc, YamlFile

_MEANING = {"missing": "is missing", "extra_forbidden": "unknown key"}


def validation_mistakes(
    file: YamlFile, shown: str, error: ValidationError, model: type[BaseModel], prefix: Loc
) -> list[str]:
    """Return one line per mistake that pydantic found in a file; ``prefix`` is where the model is in it."""
    found: dict[str, None] = {}
    for detail in error.errors(include_url=False):
        loc = prefix + _in_file(file, prefix, detail)
        text = _MEANING.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            text += meant(str(loc[-1]), _keys_at(model, loc[len(prefix) : -1]))
        found[f"{shown}:{file.line(loc)}: {dotted(loc)}: {text}"] = None
    return list(found)


def _in_file(file: YamlFile, prefix: Loc, detail: ErrorDetails) -> Loc:
    """Return the error's path without the parts that pydantic adds for unions and validators."""
    loc: Loc = ()
    for i, part in enumerate(detail["loc"]):
        last_key = i == len(detail["loc"]) - 1 and detail["type"] == "missing"
        if last_key or (*prefix, *loc, part) in file.lines:
            loc = (*loc, part)
    return loc


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that a path may have; used for suggestions only."""
    nested: dict[str, type[BaseModel]] = {"streams": StreamOptions, "checks": Check}
    for part in loc:
        model = nested.get(str(part), model)
    return [name for name in model.model_fields if name not in ("name", "path")]


def meant(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "…"?`` for the known word that is nearest, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def dotted(loc: Loc) -> str:
    """Return a path in a file as people write it: ``streams.refunds.checks[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
