"""The commands of ``leat``, each group in a module of its name.

Building all of them takes longer than reading the declarations, and imports what one command doesn't need. So a command
line that names a command gets that one only.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from leat.cli.usage import UsageMistake
from leat.runs.workspace import NoProject, Workspace, open_workspace

_MODULES = (
    "init", "check", "preview", "run", "status", "runs", "logs", "query", "quarantine", "violations", "act", "actions",
    "automations", "slots", "templates", "suppressions", "publish", "move", "alerts", "tokens", "access", "secret",
    "keys", "audit", "subject", "docs", "schema", "doctor", "serve", "hooks", "webhooks", "dev", "demo",
)  # fmt: skip
"""In the order of ``leat --help``."""

_SECOND = {"reset": "run", "ack": "violations"}
"""Commands that are in the module of another one."""


def app_for(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line, with the command that the words name, or else with all commands.

    Args:
        words: what follows ``leat``.
    """
    app = typer.Typer(
        help="Load external systems, each declared in a YAML file, into a warehouse.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_project)
    name = _command(words)
    name = _SECOND.get(name, name)
    for module in (name,) if name in _MODULES else _MODULES:
        importlib.import_module(f"leat.cli.{module}").add_to(app)
    return app


def _command(words: Sequence[str]) -> str:
    """Return the first word that is neither an option nor its value; nothing when ``--help`` or the like precede it."""
    left = list(words)
    while left:
        word = left.pop(0)
        if word in {"--project", "--profile"}:
            del left[:1]
        elif not word.startswith(("--project=", "--profile=")):
            return word
    return ""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"leat {metadata.version('leat')}")
        raise typer.Exit


def _project(
    context: typer.Context,
    project: Annotated[
        Path, typer.Option("--project", help="The project folder.", file_okay=False, envvar="LEAT_PROJECT")
    ] = Path(),
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", help="Read .env.NAME, with a state of its own.", metavar="NAME", envvar="LEAT_PROFILE"
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if not context.resilient_parsing:
        if profile:
            os.environ["LEAT_PROFILE"] = profile  # also for the programs that a command starts
        context.obj = lambda may_be_empty=False: opened(project, may_be_empty=may_be_empty)
        context.meta["project"] = project


def opened(folder: Path, *, may_be_empty: bool = False) -> Workspace:
    """Open the project of a folder.

    Args:
        folder: the project folder.
        may_be_empty: whether a folder ``pipelines/`` without declarations will do.

    Raises:
        UsageMistake: there is none.
    """
    try:
        return open_workspace(folder, may_be_empty=may_be_empty)
    except NoProject as error:
        raise UsageMistake(str(error)) from error
