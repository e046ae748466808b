"""``leat templates``: the templates of mails; list, check, preview."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from leat.cli.lines import print_text
from leat.cli.output import Json, counted, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import FAILED, UsageMistake
from leat.runs.workspace import Workspace
from leat.sources.driver import SetupTest

if TYPE_CHECKING:
    from leat.sources.email.templates.fill import Filled

TEMPLATES = "templates"
"""Folder of a project that has the templates."""
Name = Annotated[str, typer.Argument(metavar="NAME", help="The template: the name of its file.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(invoke_without_command=True, help="Show, check and preview the templates of mails.")
    group.callback()(show_all)
    for command in (list_, check, preview):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="templates")


def show_all(context: typer.Context, json: Json = False) -> None:
    """Show the templates of the project."""
    if context.invoked_subcommand is None:
        list_(context, json=json)


def list_(context: typer.Context, json: Json = False) -> None:
    """List the templates, with subject and purpose."""
    from leat.sources.email.templates.files import template_names

    folder = _folder(context)
    names = template_names(folder)
    there = {name: _checked(folder, name) for name in names}
    if json:
        listed = [{"name": name, "problem": problem, **about} for name, (about, problem) in there.items()]
        print_json(command="templates", templates=listed)
        return
    if not names:
        say("no templates; write one in templates/NAME.mjml")
        return
    rows = [
        (name, about.get("subject"), "yes" if about.get("bulk") else None, problem or about.get("description"))
        for name, (about, problem) in there.items()
    ]
    print_table(("template", "subject", "bulk", "description"), rows, below=True)


def check(context: typer.Context, json: Json = False) -> None:
    """Fill each template with the example in its header."""
    from leat.sources.email.templates.files import template_names

    folder = _folder(context)
    names = template_names(folder)
    problems = {name: problem for name in names if (problem := _checked(folder, name)[1])}
    if json:
        print_json(command="templates check", templates=names, problems=problems)
    for problem in () if json else problems.values():
        say(("✗ ", "red"), problem)
    if not json and not problems:
        say(("✓ ", "green"), f"{counted(len(names), 'template')} can be filled")
    if problems:
        raise typer.Exit(FAILED)


def preview(
    context: typer.Context,
    name: Name,
    data: Annotated[
        Path | None, typer.Option("--data", help="JSON or YAML file to fill it with; without it, its example.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="File to write the HTML to.")] = None,
    json: Json = False,
) -> None:
    """Show a filled template. It prints subject and plain text; --html writes the HTML. Sends nothing."""
    from leat.sources.email.templates.files import BadTemplate

    try:
        filled = _filled(_folder(context), name, _data(data) if data else None)
    except BadTemplate as error:
        raise UsageMistake(str(error)) from None
    if html is not None:
        html.write_text(filled.html, encoding="utf-8")
    if json:
        print_json(command="templates preview", subject=filled.subject, text=filled.text, html=filled.html)
        return
    say(f"Subject: {filled.subject}", whole=True)
    say("", whole=True)
    print_text(filled.text)


def _folder(context: typer.Context) -> Path:
    workspace: Workspace = context.obj()
    return workspace.project.folder / TEMPLATES


def _filled(folder: Path, name: str, data: Mapping[str, Any] | None) -> Filled:
    from leat.sources.email.templates.files import read_template
    from leat.sources.email.templates.fill import fill

    template = read_template(folder, name)
    given = template.header.example if data is None else data
    leave = "https://mail.example.com/unsubscribe/…" if template.header.bulk else ""
    return fill(template, {"unsubscribe": leave, **given})


def _checked(folder: Path, name: str) -> tuple[dict[str, Any], str | None]:
    """Return subject, description and kind of a template, filled with its example, and what is wrong with it."""
    from leat.sources.email.templates.files import BadTemplate, read_template

    about: dict[str, Any] = {}
    try:
        about = read_template(folder, name).header.model_dump(include={"subject", "description", "bulk"})
        about["subject"] = _filled(folder, name, None).subject
    except BadTemplate as error:
        return about, str(error)
    return about, None


def template_tests(folder: Path) -> Iterator[SetupTest]:
    """Yield, for each template of a folder, whether it can be filled with the example in its header."""
    from leat.sources.email.templates.files import template_names

    for name in template_names(folder):
        about, problem = _checked(folder, name)
        yield SetupTest(name, problem is None, problem or str(about["subject"]))


def _data(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        value = json_format.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = f"{path} can't be read as JSON or YAML ({type(error).__name__})"
        raise UsageMistake(msg) from None
    if not isinstance(value, Mapping):
        msg = f"{path} has to be a mapping of names to values"
        raise UsageMistake(msg)
    return value
