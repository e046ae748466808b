"""What types can't say of an automation: rules, verbs, parameters and columns that there aren't, rows without a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from leat.actions.automations.automation import AS
from leat.actions.automations.declaration import Approval, Declared
from leat.actions.mistakes import meaning_of, no_verb
from leat.pipelines.declare.declaration import NAME, Declaration
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.validation import Diagnostics
from leat.pipelines.declare.yaml_file import Loc
from leat.sources.actions import Verb, actor_of
from leat.sources.templates import TemplateProblem, is_template, names_in

if TYPE_CHECKING:
    from leat.pipelines.declare.sql_file import SqlFile

TIMES = ("now", "day", "week", "month")
"""What templates may use of the time: that of the schedule, else that of the run."""


def check(
    declared: Declared,
    project: Project,
    declarations: Mapping[str, Declaration],
    rule: SqlFile | None,
    query: SqlFile | None,
) -> Diagnostics:
    """Yield the mistakes in an automation; ``rule`` and ``query`` are None where there is none."""
    yield from _rule_diagnostics(declared, project, rule, query)
    yield from _key_diagnostics(declared, rule, query)
    yield from _freshness_diagnostics(declared, declarations)
    columns = _columns(declared, rule, query)
    yield from _steps_diagnostics(declared, declarations, columns)
    if declared.quiet_hours is not None:
        yield from _template_diagnostics(
            ("quiet_hours", "zone"), declared.quiet_hours.zone, _variables(declared, columns)
        )
    if isinstance(declared.approve, Approval) and declared.approve.auto is not None:
        valid = {"count": None, **_variables(declared, columns)}
        yield from _template_diagnostics(("approve", "auto"), "{{" + declared.approve.auto + "}}", valid)


def _rule_diagnostics(declared: Declared, project: Project, rule: SqlFile | None, query: SqlFile | None) -> Diagnostics:
    name, when = declared.when.rule, "violation_opened" if declared.when.violation_opened else "violation_resolved"
    if name is None:
        if query is None:
            yield (), "targets is missing: without a violation, a query has to say what to act on"
        return
    rules = sorted(path.stem for path in (project.folder / "quality" / "rules").glob("*.sql"))
    if name not in rules:
        text = f"there is no rule {name[:80]!r}{meant(name, rules)}; valid: {', '.join(rules) or 'none'}"
        yield ("when", when), text
    elif rule is None:
        yield ("when", when), f"the rule {name} has mistakes; `leat check` lists them"
    if declared.group_by is not None:
        yield ("group_by",), "violations can't be grouped; use it with schedule or rows"
    if rule is not None and query is not None and "*" not in query.select.named_selects:
        for column in _key_of(rule):
            if column not in query.select.named_selects:
                text = f"the query gives no column {column!r}, which says to which violation of {name} a row belongs"
                yield ("targets",), text


def _key_of(rule: SqlFile) -> tuple[str, ...]:
    key = rule.header.value["key"]
    return (key,) if isinstance(key, str) else tuple(key)


def _columns(declared: Declared, rule: SqlFile | None, query: SqlFile | None) -> list[str] | None:
    """Return the columns of a target; None when they can't be read from the query."""
    source = query if declared.targets is not None else rule
    if source is None or "*" in source.select.named_selects:
        return None
    return list(source.select.named_selects)


def _key_diagnostics(declared: Declared, rule: SqlFile | None, query: SqlFile | None) -> Diagnostics:
    if not declared.key and not declared.group_by and query is not None:
        yield (), "key is missing: without columns that identify a row, it would be acted on again and again"
    columns = _columns(declared, rule, query)
    if columns is not None and declared.group_by is not None and declared.group_by not in columns:
        yield ("group_by",), _no_column(declared.group_by, columns)
    for number, name in enumerate(declared.key):
        at: Loc = ("key", number)
        if is_template(name):
            yield from _template_diagnostics(at, name, _variables(declared, columns))
        elif columns is not None and name not in columns:
            yield at, _no_column(name, columns)
        elif declared.group_by not in (None, name):
            yield at, f"a group has many values of {name}; only {declared.group_by} identifies it"


def _no_column(name: str, columns: list[str]) -> str:
    return f"the targets have no column {name[:80]!r}{meant(name, columns)}; valid: {', '.join(columns)}"


def _freshness_diagnostics(declared: Declared, declarations: Mapping[str, Declaration]) -> Diagnostics:
    for name in declared.require_fresh:
        integration, _, stream = name.partition(".")
        if integration not in declarations:
            text = f"no integration {integration!r} is declared{meant(integration, declarations)}"
            yield ("require_fresh", name), text
        elif stream:
            streams = [each.name for each in declarations[integration].selected()]
            if stream not in streams:
                yield ("require_fresh", name), f"{integration} loads no stream {stream!r}{meant(stream, streams)}"


def _variables(declared: Declared, columns: list[str] | None) -> dict[str, list[str] | None]:
    """Return the variables that templates may use, each with its attributes, where these are certain."""
    names: dict[str, list[str] | None] = dict.fromkeys(TIMES)
    if declared.group_by is not None:
        return {**names, "group": None, "rows": None}
    return {**names, "row": columns, **({"violation": ["rule", "key", "opened_at"]} if declared.when.rule else {})}


def _template_diagnostics(at: Loc, value: Any, valid: Mapping[str, list[str] | None]) -> Diagnostics:
    try:
        for name, attributes in names_in(value):
            if name not in valid:
                yield at, f"there is no {name[:80]!r} in templates{meant(name, valid)}; valid: {', '.join(valid)}"
            columns = valid.get(name)
            for attribute in sorted(attributes) if columns is not None else ():
                if columns is not None and attribute not in columns:
                    yield at, f"{name}.{attribute}: there is no {attribute!r}{meant(attribute, columns)}"
    except TemplateProblem as problem:
        yield at, f"not a template: {problem}"


def _steps_diagnostics(
    declared: Declared, declarations: Mapping[str, Declaration], columns: list[str] | None
) -> Diagnostics:
    variables = _variables(declared, columns)
    results: dict[str, int] = {}
    for number, step in enumerate(declared.do):
        at: Loc = ("do", number)
        yield from _step_diagnostics(at, step, declared, declarations, {**variables, **dict.fromkeys(results)})
        name = step.get(AS)
        if name is None:
            continue
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in variables or name in results:
            yield (*at, AS), f"write a name of its own, like ticket: {', '.join([*variables, *results])} are taken"
            continue
        results[name] = number
        if not any(name in _used(each) for each in declared.do[number + 1 :]):
            yield (*at, AS), f"no later step uses {name}; write {{{{ {name}.field }}}} in one, or leave `as` out"


def _used(step: Mapping[str, Any]) -> set[str]:
    try:
        return {name for name, _ in names_in({each: value for each, value in step.items() if each != AS})}
    except TemplateProblem:
        return set()  # reported where it is


def _step_diagnostics(
    at: Loc,
    step: Mapping[str, Any],
    declared: Declared,
    declarations: Mapping[str, Declaration],
    variables: Mapping[str, list[str] | None],
) -> Diagnostics:
    step = {name: value for name, value in step.items() if name != AS}
    if len(step) != 1:
        yield at, "write one verb in each step: - integration.verb: {parameter: value}"
        return
    [(name, parameters)] = step.items()
    verb = _verb(name, declarations)
    if isinstance(verb, str):
        yield (*at, name), verb
    elif parameters is not None and not isinstance(parameters, dict):
        yield (*at, name), "expected parameters with values"
    else:
        if verb.money and isinstance(declared.approve, Approval) and declared.approve.role is None:
            text = (
                f"{name} moves money, which a person approves each time; write approve: person, or {{role: operator}}"
            )
            yield ("approve",), text
        yield from _parameter_diagnostics((*at, name), verb, parameters or {}, variables)


def _verb(name: str, declarations: Mapping[str, Declaration]) -> Verb | str:
    """Return the verb of that name, or why there is none."""
    integration, _, verb = name.partition(".")
    declaration = declarations.get(integration)
    if declaration is None:
        return f"no integration {integration[:80]!r} is declared{meant(integration, declarations)}"
    actor = actor_of(declaration.source, declaration.driver, declaration.connection)
    if actor is None:
        return f"leat can only read {integration}: its driver {declaration.driver} has no actions"
    if verb not in actor.actions:
        return no_verb(integration, verb, actor.actions)
    return actor.actions[verb][0]


def _parameter_diagnostics(
    at: Loc, verb: Verb, parameters: Mapping[str, Any], variables: Mapping[str, list[str] | None]
) -> Diagnostics:
    fields = {field.alias or name: field for name, field in verb.parameters.model_fields.items()}
    for name, field in fields.items():
        if field.is_required() and name not in parameters:
            yield at, f"{name} is missing ({field.description})"
    literal = {}
    for name, value in parameters.items():
        if name not in fields:
            yield (*at, name), f"no such parameter{meant(name, fields)}; there are {', '.join(fields)}"
        elif is_template(value):
            yield from _template_diagnostics((*at, name), value, variables)
        else:
            literal[name] = value
    yield from _literal_diagnostics(at, verb, literal)


def _literal_diagnostics(at: Loc, verb: Verb, literal: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    try:
        verb.parameters.model_validate(dict(literal))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] != "missing" and each["loc"] and each["loc"][0] in literal:
                yield (*at, each["loc"][0]), meaning_of(each)
