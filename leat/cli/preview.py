"""``leat preview``: what a stream looks like before it is loaded; nothing is written anywhere."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from leat.cli.lines import print_indented
from leat.cli.names import complete_target
from leat.cli.output import Json, err, print_json, say
from leat.cli.rows import Form, print_rows
from leat.cli.usage import FAILED, UsageMistake, not_there
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import load_declaration
from leat.pipelines.load.preview import Preview, preview
from leat.runs.printable import in_one_line
from leat.runs.workspace import Workspace
from leat.sources.settings import redact


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("preview")(show)


def show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME[.STREAM]",
            help="The integration, or one stream of it.",
            autocompletion=complete_target,
        ),
    ],
    json: Json = False,
) -> None:
    """Show the first rows of streams before loading them. Also pages, and what would be quarantined. Writes nothing."""
    workspace: Workspace = context.obj()
    declaration = _declaration(workspace, name.partition(".")[0])
    previews: list[Preview] = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=err, transient=True,
                  disable=not err.is_terminal) as shown:  # fmt: skip
        task = shown.add_task(f"{declaration.name}: reading")

        def progress(what: str, _count: int) -> None:
            shown.update(task, description=in_one_line(f"{declaration.name}: {what}"))

        for each in preview(workspace.project, declaration, _streams(declaration, name), progress):
            previews.append(each)
            if not json:
                shown.stop()
                _print(declaration, each)
                shown.start()
    failed = any(each.error for each in previews)
    if json:
        print_json(command="preview", integration=declaration.name, streams=[_as_json(each) for each in previews])
    if failed:
        raise typer.Exit(FAILED)


def _declaration(workspace: Workspace, name: str) -> Declaration:
    """Return a declaration without looking at other files; endpoints may lack columns.

    Raises:
        DeclarationError: it has a mistake.
        UsageMistake: there is none of that name.
    """
    paths: dict[str, Path] = {path.stem: path for path in workspace.project.declaration_paths()}
    if name not in paths:
        msg = not_there(f"no integration {name!r} is declared", name, paths, "declared")
        raise UsageMistake(msg)
    overrides = workspace.overrides.get(name, {})
    return load_declaration(paths[name], workspace.project.shown(paths[name]), overrides, draft=True)


def _streams(declaration: Declaration, name: str) -> list[str]:
    stream = name.partition(".")[2]
    names = [each.name for each in declaration.every_stream()]
    if stream and stream not in names:
        msg = not_there(f"{declaration.name} has no stream {stream!r}", stream, names, "it has")
        raise UsageMistake(msg)
    return [stream] if stream else [each.name for each in declaration.selected()]


def _print(declaration: Declaration, each: Preview) -> None:
    say((f"{declaration.name}.{each.stream}", "bold"))
    ending = "more follow" if each.more else f"complete: {each.complete}" if each.complete else ""
    print_indented("  read         ", "; ".join(part for part in (each.read, ending) if part))
    for note in each.notes:
        print_indented("  note         ", note)
    if each.columns or each.quarantined:
        bad = sum(count for _, count in each.quarantined)
        print_indented("  records      ", f"{each.good:,} fit, {bad:,} would be quarantined")
        for reason, count in each.quarantined:
            print_indented(f"  {count:>11,}  ", reason)
    if each.error:
        print_indented("  ✗            ", redact(each.error))
    if each.rows:
        say()
        print_rows(each.columns, iter(each.rows), Form.table)
    if each.proposed:
        say("\nAdd to connection.endpoints, and correct what was guessed wrong:\n")
        say(textwrap.indent(each.proposed, "    "), whole=True)
    say()


def _as_json(each: Preview) -> dict[str, Any]:
    value = asdict(each)
    value["rows"] = [dict(zip(each.columns, row, strict=True)) for row in each.rows]
    value["quarantined"] = [{"reason": reason, "records": count} for reason, count in each.quarantined]
    value["error"] = None if each.error is None else redact(each.error)
    return value
