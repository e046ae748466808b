"""``leat docs``: a static site of what is in the published warehouse, with Great Expectations' Data Docs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from leat.cli.output import say
from leat.cli.usage import UsageMistake
from leat.files import make_private
from leat.runs.workspace import Workspace

_MARK = "leat-docs.txt"
_ABOUT = "Made by `leat docs`, which makes it anew each time.\n"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(docs)


def docs(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option("--out", help="The folder; .leat/docs when none is given.")] = None,
) -> None:
    """Write a static site: tables, columns, lineage, checks, rules and open violations."""
    workspace: Workspace = context.obj()
    folder = (workspace.project.state / "docs" if to is None else to).resolve()
    _refuse_others(folder)
    _write(workspace, folder)
    say(str(folder / "index.html"))


def _refuse_others(folder: Path) -> None:
    """Make sure that the folder may be replaced.

    Raises:
        UsageMistake: there is something in it that isn't ours.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; --out names a folder"
        raise UsageMistake(msg)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        msg = f"{folder} has files that `leat docs` didn't write. Next: give --out a folder of its own"
        raise UsageMistake(msg)


def _write(workspace: Workspace, folder: Path) -> None:
    """Write the site beside the folder, and put it in its place when it is whole."""
    from leat.catalog.site.contents import read_contents
    from leat.catalog.site.pages import pages
    from leat.quality.checks import model_checks, stream_checks
    from leat.quality.data_docs.build import build_data_docs

    models, rules = workspace.described.models, workspace.described.rules
    checked = [table for declaration in workspace.declarations.values() for table in stream_checks(declaration)]
    checked += [model_checks(model.name, model.checks) for model in models]
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with workspace.warehouse.published() as session:
            contents = read_contents(session)
            make_private(draft)
            suites = build_data_docs(session, checked, rules, draft / "data-docs")
        _write_files(draft, [(_MARK, _ABOUT), *pages(contents, suites)])
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_files(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    for path, text in files:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for made in folder.rglob("*"):
        made.chmod(0o700 if made.is_dir() else 0o600)
