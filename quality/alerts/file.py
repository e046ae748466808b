"""Reads ``quality/alerts.yaml`` and checks it against what there is: channels, rules, integrations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.declared_file import read_declared
from leat.pipelines.declare.diagnostics import diagnostic_line, meant
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError, Loc
from leat.quality.alerts.declaration import Alerts, Escalation

_OF_ALL_RULES = "rule_cannot_run"  # leat.quality.rules.CANNOT_RUN; importing that takes as long as a run


def alerts_path(project: Project) -> Path:
    """Return where alerts are declared; the file need not be there."""
    return project.folder / "quality" / "alerts.yaml"


def load_alerts(project: Project, declarations: Mapping[str, Declaration]) -> Alerts | None:
    """Return what is declared; None when there is no such file.

    Raises:
        DeclarationError: with all mistakes in it.
    """
    path = alerts_path(project)
    if not path.exists():
        return None
    shown = project.shown(path)
    file, alerts = read_declared(path, shown, Alerts, "channels")
    rules = [path.stem for path in (project.folder / "quality" / "rules").glob("*.sql") if path.stem.isidentifier()]
    wrong = _diagnostics(alerts, [*rules, _OF_ALL_RULES], declarations)
    if diagnostics := [diagnostic_line(file, shown, loc, text) for loc, text in wrong]:
        raise DeclarationError(diagnostics)
    return alerts


def _diagnostics(
    alerts: Alerts, rules: list[str], declarations: Mapping[str, Declaration]
) -> Iterator[tuple[Loc, str]]:
    mailers = {name: each for name, each in declarations.items() if each.source == "email"}
    for name, channel in alerts.channels.items():
        if channel.integration is not None:
            at_channel: Loc = ("channels", name, "integration")
            yield from _unknown(at_channel, "e-mail integration", [channel.integration], mailers)
    yield from _unknown(("default",), "channel", alerts.default, alerts.channels)
    yield from _escalation((), alerts.escalate, alerts)
    for number, route in enumerate(alerts.routes):
        at: Loc = ("routes", number)
        yield from _unknown((*at, "channels"), "channel", route.channels, alerts.channels)
        yield from _unknown((*at, "integration"), "integration", route.integration, declarations)
        yield from _unknown((*at, "rule"), "rule", [name for name in route.rule if "*" not in name], rules)
        yield from _escalation(at, route.escalate, alerts)


def _escalation(at: Loc, escalation: Escalation | None, alerts: Alerts) -> Iterator[tuple[Loc, str]]:
    if escalation is not None:
        yield from _unknown((*at, "escalate", "to"), "channel", escalation.to, alerts.channels)


def _unknown(loc: Loc, what: str, names: Iterable[str], valid: Iterable[str]) -> Iterator[tuple[Loc, str]]:
    listed = sorted(valid)
    for name in names:
        if name not in listed:
            yield loc, f"there is no {what} {name!r}{meant(name, listed)}; valid: {', '.join(listed) or 'none'}"
