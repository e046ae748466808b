"""What the types can't say of declared actions: names that lead nowhere, guarantees that nothing supports."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from leat.sources.actions import Parameters
from leat.sources.rest_api.acting.parameters import parameters_model
from leat.sources.rest_api.declaration.action import ActionOptions
from leat.sources.rest_api.diagnostics.records import NAME
from leat.sources.templates import TemplateProblem, names_in

Loc = tuple[str | int, ...]
Diagnostics = Iterator[tuple[Loc, str]]
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_TAKEN = ("action", "before", "result", "action_id")
_REQUEST = ("params", "headers", "body")


def action_diagnostics(actions: Mapping[str, ActionOptions]) -> Diagnostics:
    """Yield where a mistake is below ``actions``, and what is wrong."""
    for name, declared in actions.items():
        if not NAME.fullmatch(name):
            yield (name,), "an action becomes a verb: write a lower-case identifier, like create_ticket"
        named = list(_parameter_diagnostics(declared))
        for loc, text in named or [
            *_model_diagnostics(name, declared),
            *_template_diagnostics(declared),
            *_guarantee_diagnostics(declared),
            *_undo_diagnostics(declared, actions),
        ]:
            yield (name, *loc), text


def _parameter_diagnostics(declared: ActionOptions) -> Diagnostics:
    for name, options in declared.parameters.items():
        at = ("parameters", name)
        if not NAME.fullmatch(name) or name in _TAKEN or hasattr(Parameters, name):
            yield at, "another name, please: a lower-case identifier that isn't taken, like subject"
        if options.required and options.default is not None:
            yield (*at, "default"), "a required parameter is always given; leave out one of both"
        for limit, types in _LIMITS.items():
            if getattr(options, limit) is not None and options.type not in types:
                yield (*at, limit), f"only for {' and '.join(types)}"


_LIMITS = {
    "minimum": ("integer", "float"),
    "maximum": ("integer", "float"),
    "min_length": ("string",),
    "max_length": ("string",),
    "pattern": ("string",),
}


def _model_diagnostics(name: str, declared: ActionOptions) -> Diagnostics:
    for each, options in declared.parameters.items():
        try:
            model = parameters_model(name, {each: options})
            if not options.required:
                model()
        except ValidationError as error:
            yield ("parameters", each, "default"), error.errors()[0]["msg"].removeprefix("Value error, ")
        except Exception as error:  # whatever pydantic says of a pattern or a limit
            yield ("parameters", each), str(error).splitlines()[0]


def _template_diagnostics(declared: ActionOptions) -> Diagnostics:
    early = {*declared.parameters, "action", *(("before",) if declared.read else ())}
    late = {*early, *(("result",) if declared.result else ())}
    used: set[str] = set()
    for part, block in (("read", declared.read), ("request", declared.request), ("find", declared.find)):
        if block is not None:
            valid = early - {"before"} if part == "read" else early
            yield from _block_diagnostics((part,), block, valid, declared, used)
    if declared.confirm is not None:
        yield from _block_diagnostics(("confirm",), declared.confirm, late, declared, used)
    yield from _names((("title",), declared.title), early, declared, used)
    yield from _names((("undo",), declared.undo), late, declared, set())
    for name in declared.parameters.keys() - used:
        yield ("parameters", name), "no request uses it; write it into a path as {name}, or into a body as {{ name }}"


def _block_diagnostics(
    at: Loc, block: Any, valid: Collection[str], declared: ActionOptions, used: set[str]
) -> Diagnostics:
    for key in (*_REQUEST, "expect", "where"):
        if getattr(block, key, None) is not None:
            yield from _names(((*at, key), getattr(block, key)), valid, declared, used)
    if block.path is None:
        return
    if "{{" in block.path:
        yield (*at, "path"), "write {name}, with single braces: its value is quoted, so that it can't lead elsewhere"
        return
    names = {*declared.parameters, "action_id", *(declared.result if at == ("confirm",) else ())}
    for name in _PLACEHOLDER.findall(block.path):
        options = declared.parameters.get(name)
        used.add(name)
        if name not in names:
            yield (*at, "path"), f"nothing fills {{{name}}}{_meant(name, names)}; valid: {', '.join(sorted(names))}"
        elif options is not None and not options.required and options.default is None and name not in declared.result:
            yield ("parameters", name), f"the path of {at[0]} needs it; write required: true"


def _names(place: tuple[Loc, Any], valid: Collection[str], declared: ActionOptions, used: set[str]) -> Diagnostics:
    at, value = place
    try:
        for name, attributes in names_in(value):
            used.add(name)
            if name not in valid:
                yield at, f"there is no {name[:80]!r} here{_meant(name, valid)}; valid: {', '.join(sorted(valid))}"
            own = {"action": {"id"}, "result": set(declared.result)}.get(name, attributes)
            for attribute in sorted(attributes - own):
                yield at, f"there is no {name}.{attribute}{_meant(attribute, own)}; valid: {', '.join(sorted(own))}"
    except TemplateProblem as problem:
        yield at, f"not a template: {problem}"


def _meant(word: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(names), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _guarantee_diagnostics(declared: ActionOptions) -> Diagnostics:
    if declared.guarded_for is not None and declared.idempotency_header is None:
        yield ("guarded_for",), "it is for how long the API remembers the key of idempotency_header"
    conditions = [name for name in ("if_match", "unchanged") if getattr(declared, name)]
    if len(conditions) == 2:
        yield ("unchanged",), "if_match says the same, and the API sees to it; leave unchanged out"
    if conditions and declared.read is None:
        yield (conditions[0],), "it is about the record that read reads; declare read"
    if declared.find is not None:
        yield from _find_diagnostics(declared)
    confirm = declared.confirm
    if confirm is not None and confirm.absent == bool(confirm.expect):
        yield ("confirm",), "write expect, with fields and their values, or absent: true"
    if confirm is not None and declared.seen_by() is None:
        yield ("confirm",), "path is missing: there is no read whose path could be used"
    if declared.guarantee() == "natural":
        if confirm is None:
            yield (conditions[0],), "declare confirm: by what it expects, leat sees after a crash whether it happened"
        elif _uses(confirm.model_dump(), "result") or _placeholders(confirm.path) & set(declared.result):
            yield ("confirm",), "after a crash there is no result; use parameters"


def _find_diagnostics(declared: ActionOptions) -> Diagnostics:
    find, request = declared.find, declared.request
    assert find is not None  # noqa: S101 - the caller has looked
    if not _uses(find.where, "action"):
        yield ("find", "where"), 'name the field that has the id of the action, as {external_id: "{{ action.id }}"}'
    sent = [request.params, request.headers, request.body]
    if not _uses(sent, "action") and "action_id" not in _placeholders(request.path):
        yield ("request",), "it has to carry the id of the action, {{ action.id }}, by which find searches for it"


def _uses(value: Any, name: str) -> bool:
    try:
        return any(each == name for each, _ in names_in(value))
    except TemplateProblem:
        return True  # reported where it is


def _placeholders(path: str | None) -> set[str]:
    return set(_PLACEHOLDER.findall(path or ""))


def _undo_diagnostics(declared: ActionOptions, actions: Mapping[str, ActionOptions]) -> Diagnostics:
    for verb, parameters in (declared.undo or {}).items():
        at = ("undo", verb)
        inverse = actions.get(verb)
        if inverse is None:
            yield at, f"no action {verb[:80]!r} is declared{_meant(verb, actions)}"
            continue
        for name in (parameters or {}).keys() - inverse.parameters.keys():
            yield (*at, name), f"no such parameter{_meant(name, inverse.parameters)}"
        for name, options in inverse.parameters.items():
            if options.required and name not in (parameters or {}):
                yield at, f"{name} is missing"
