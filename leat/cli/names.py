"""Names on the command line, such as ``payments`` and ``payments.charges``: what they name, and what completes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from leat.cli.usage import UsageMistake, not_there
from leat.pipelines.declare.declaration import Declaration
from leat.runs.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Target:
    """An integration, or one stream of it."""

    integration: str
    stream: str | None = None


def read_names(workspace: Workspace, asked: Sequence[str]) -> list[str]:
    """Return the integrations that are asked for, each once; all that are enabled when none is.

    Raises:
        UsageMistake: one isn't declared.
    """
    declarations = workspace.declarations
    for name in asked:
        if name not in declarations:
            msg = not_there(f"no integration {name!r} is declared", name, declarations, "declared")
            raise UsageMistake(msg)
    return list(dict.fromkeys(asked)) or [name for name, declared in declarations.items() if declared.enabled]


def read_target(workspace: Workspace, text: str) -> Target:
    """Return what ``NAME`` or ``NAME.STREAM`` names.

    Raises:
        UsageMistake: there is no such integration, or it loads no such stream.
    """
    name, _, stream = text.partition(".")
    read_names(workspace, [name])
    if not stream:
        return Target(name)
    check_stream(workspace.declarations[name], stream)
    return Target(name, stream)


def check_stream(declaration: Declaration, stream: str) -> None:
    """Make sure that an integration loads a stream.

    Raises:
        UsageMistake: it doesn't.
    """
    loaded = [each.name for each in declaration.selected()]
    if stream not in loaded:
        msg = not_there(f"{declaration.name} loads no stream {stream!r}", stream, loaded, "it loads")
        raise UsageMistake(msg)


def complete_integration(context: typer.Context, incomplete: str) -> list[str]:
    """Return the integrations whose names begin so."""
    return _beginning(incomplete, (path.stem for path in _declared(context)))


def complete_target(context: typer.Context, incomplete: str) -> list[str]:
    """Return the integrations, and after the dot of one its streams, whose names begin so."""
    name, dot, _ = incomplete.partition(".")
    if not dot:
        return complete_integration(context, incomplete)
    return _beginning(incomplete, (f"{name}.{stream}" for stream in _streams(context, name)))


def complete_rule(context: typer.Context, incomplete: str) -> list[str]:
    """Return the rules whose names begin so."""
    return _beginning(incomplete, (path.stem for path in (_folder(context) / "quality" / "rules").glob("*.sql")))


def complete_stream(context: typer.Context, incomplete: str) -> list[str]:
    """Return the streams, whose names begin so, of the integration that the command line names."""
    name = context.params.get("name") or next(iter(context.args), "")  # an option without its value ends the parsing
    return _beginning(incomplete, _streams(context, name))


def complete_channel(context: typer.Context, incomplete: str) -> list[str]:
    """Return the channels of alerts whose names begin so."""
    from leat.pipelines.declare.yaml_file import read_yaml

    path = _folder(context) / "quality" / "alerts.yaml"
    try:
        return _beginning(incomplete, read_yaml(path, path.name).value["channels"])
    except Exception:  # a completion has nowhere to say why there is none
        return []


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _folder(context: typer.Context) -> Path:
    return Path(context.meta.get("project") or context.find_root().params.get("project") or ".")


def _declared(context: typer.Context) -> Sequence[Path]:
    return [path for path in (_folder(context) / "pipelines").glob("*.yaml") if not path.name.startswith(".")]


def _streams(context: typer.Context, name: str) -> list[str]:
    """Return the streams of an integration; none when its declaration has a mistake, which other commands report."""
    from leat.pipelines.declare.project import load_declaration
    from leat.pipelines.declare.project_policy import confine

    try:
        confine(_folder(context).resolve())
        path = next(path for path in _declared(context) if path.stem == name)
        return [stream.name for stream in load_declaration(path, path.name).selected()]
    except Exception:  # a completion has nowhere to say why there is none
        return []
