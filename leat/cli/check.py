"""``leat check``: everything that is declared, in one round; then each connection, for real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, TypeVar

import typer

from leat.cli.names import complete_integration, read_names
from leat.cli.output import Json, counted, mark_of, print_json, say
from leat.cli.templates import TEMPLATES, template_tests
from leat.cli.usage import FAILED
from leat.pipelines.declare.project import apart_from, read_declarations, read_warnings
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.setup_tests import setup_tests
from leat.runs.stored_secrets import policy_tests
from leat.runs.workspace import Workspace
from leat.security.policy_file import declares_grants
from leat.sources.driver import own_sources
from leat.sources.settings import redact

_Loaded = TypeVar("_Loaded")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(check)


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Integrations; all when none is given.", autocompletion=complete_integration
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Validate all files, then try each connection for real."""
    from leat.hooks.out.declaration import load_webhooks
    from leat.hooks.trial import endpoint_tests, hook_tests
    from leat.quality.alerts.file import load_alerts
    from leat.quality.alerts.trial import channel_tests

    workspace: Workspace = context.obj()
    valid = _validate(workspace)
    asked = read_names(workspace, names or [])
    project, declared = workspace.project, workspace.declarations
    warnings = read_warnings(project, {name: declared[name] for name in asked}, workspace.overrides)
    warnings += [] if names else _grants_drift(workspace)
    tried = {each: [*setup_tests(project, declared[each]), *hook_tests(declared[each], project)] for each in asked}
    alerts = load_alerts(workspace.project, workspace.declarations)
    if alerts is not None and not names:
        tried["alerts"] = list(channel_tests(alerts, workspace.project))
    webhooks = load_webhooks(workspace.project, workspace.declarations)
    if webhooks is not None and not names:
        tried["webhooks"] = [replace(test, detail=redact(test.detail)) for test in endpoint_tests(webhooks, project)]
    if not names and (tests := list(policy_tests(workspace))):
        tried["policies"] = tests
    if not names and (templates := workspace.project.folder / TEMPLATES).is_dir():
        tried["templates"] = list(template_tests(templates))
    ok = all(test.ok for tests in tried.values() for test in tests)
    if json:
        listed = {each: [asdict(test) for test in tests] for each, tests in tried.items()}
        print_json(command="check", ok=ok, **asdict(valid), warnings=warnings, setup_tests=listed)
    else:
        counts = [counted(len(workspace.declarations), "declaration"), counted(valid.models, "model")]
        counts.append(counted(valid.rules, "rule"))
        if valid.automations:
            counts.append(counted(valid.automations, "automation"))
        say(("✓", "green"), f" valid: {', '.join(counts[:-1])} and {counts[-1]}")
        if own := own_sources():
            say(("!", "yellow"), f" sources/ is code that runs with all rights of leat: {', '.join(own)}")
        for warning in warnings:
            say(("!", "yellow"), f" {warning}")
        for each, tests in tried.items():
            for test in tests:
                say(mark_of(test.ok), f" {each}: {test.name}: {test.detail.removeprefix(f'{each}: ')}")
    if not ok:
        raise typer.Exit(FAILED)


def _grants_drift(workspace: Workspace) -> list[str]:
    """Return a warning where the warehouse grants something else than policies/ declare, or can't be asked."""
    if not declares_grants(workspace.project):
        return []
    from leat.runs.granting import drift
    from leat.warehouse.session import WarehouseError

    try:
        warning = drift(workspace)
    except WarehouseError as error:
        return [f"grants can't be compared with the warehouse: {error}"]
    return [] if warning is None else [warning]


@dataclass(frozen=True, slots=True)
class _Valid:
    """How many models, rules and automations there are."""

    models: int
    rules: int
    automations: int


def _validate(workspace: Workspace) -> _Valid:
    """Validate all files.

    Raises:
        DeclarationError: with the mistakes of all of them; what follows from a broken declaration is left out.
    """
    from leat.actions.automations.file import load_automations
    from leat.assets.model_files import load_models
    from leat.assets.report_files import load_reports
    from leat.hooks.out.declaration import load_webhooks
    from leat.quality.alerts.file import load_alerts
    from leat.quality.rule_files import load_rules
    from leat.security.policy_file import load_security

    project = workspace.project
    declarations, diagnostics = read_declarations(project, workspace.overrides)
    broken = {path.stem for path in project.declaration_paths()} - declarations.keys()

    def collect(load: Callable[[], Sequence[_Loaded]]) -> Sequence[_Loaded]:
        try:
            return load()
        except DeclarationError as error:
            diagnostics.extend(apart_from(broken, error.diagnostics))
            return ()

    models = collect(lambda: load_models(project, declarations))
    named = tuple(path.stem for path in (project.folder / "assets" / "models").glob("*.sql") if "." not in path.stem)
    rules = collect(lambda: load_rules(project, declarations, named))
    columns = {model.name: model.columns for model in models} or None  # none if one has a mistake
    collect(lambda: [load_reports(project, columns)])
    collect(lambda: [load_alerts(project, declarations)])
    collect(lambda: [load_webhooks(project, declarations)])
    automations = collect(lambda: list(load_automations(project, declarations)))
    collect(lambda: [load_security(project, declarations)])
    if diagnostics:
        raise DeclarationError(list(dict.fromkeys(diagnostics)))
    return _Valid(len(models), len(rules), len(automations))
