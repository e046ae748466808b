"""``leat docs``: a static site of what is in the published warehouse; Great Expectations' Data Docs when asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leat.cli.output import say
from leat.cli.progress import shown_progress
from leat.cli.usage import UsageMistake
from leat.files import make_private
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.table_names import ANALYTICS
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session

if TYPE_CHECKING:
    from leat.catalog.site.contents import Contents

_MARK = "leat-docs.txt"
_ABOUT = "Made by `leat docs`, which replaces it each time.\n"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(docs)


def docs(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option("--out", help="The folder; .leat/docs when none is given.")] = None,
    data_docs: Annotated[
        bool,
        typer.Option("--data-docs", help="Also run every check again, as Great Expectations' Data Docs. Takes longer."),
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="Also show the first five rows of each table, without personal data.")
    ] = False,
) -> None:
    """Write a static site about the warehouse. It has tables, columns, lineage, checks, rules and open violations."""
    workspace: Workspace = context.obj()
    folder = (workspace.project.state / "docs" if to is None else to).resolve()
    _refuse_others(folder)
    try:
        with shown_progress() as progress:
            task = progress.add_task("reading the catalog")
            _write(
                workspace,
                folder,
                lambda what: progress.update(task, description=what),
                data_docs=data_docs,
                samples=rows,
            )
    except OSError as error:
        msg = f"{folder} can't be written: {error.strerror}. Next: give --out another folder"
        raise UsageMistake(msg) from error
    say(str(folder / "index.html"), whole=True)


def _refuse_others(folder: Path) -> None:
    """Make sure that the folder may be replaced.

    Raises:
        UsageMistake: it has files of somebody else.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; --out names a folder"
        raise UsageMistake(msg)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        msg = f"{folder} has files that `leat docs` didn't write. Next: give --out a folder of its own"
        raise UsageMistake(msg)


def _write(
    workspace: Workspace, folder: Path, progress: Callable[[str], None], *, data_docs: bool, samples: bool
) -> None:
    """Write the site into a folder next to the old one, and replace that once the site is complete."""
    from leat.catalog.site.contents import read_contents
    from leat.catalog.site.pages import pages

    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with workspace.warehouse.published() as session:
            contents = read_contents(session, _queries(workspace.project), samples=samples)
            make_private(draft)
            suites = _write_data_docs(workspace, session, draft / "data-docs", progress) if data_docs else {}
        for path, text in [(_MARK, _ABOUT), *pages(contents, suites, _actions(workspace, contents))]:
            progress(f"writing {path}")
            (draft / path).parent.mkdir(exist_ok=True)
            (draft / path).write_text(text, encoding="utf-8")
        for made in draft.rglob("*"):
            made.chmod(0o700 if made.is_dir() else 0o600)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _actions(workspace: Workspace, contents: Contents) -> dict[str, list[dict[str, str]]]:
    """Return the open actions for open violations; not the titles, which name people and amounts."""
    from leat.runs.acting import open_actions_by_violation

    keys = {str(row["violation_key"]) for row in contents.rows["open_violations"]}
    actions = open_actions_by_violation(workspace, keys) if keys else {}
    return {
        key: [{"id": row.id[:8], "what": f"{row.integration}.{row.verb}", "state": row.state} for row in rows]
        for key, rows in actions.items()
    }


def _queries(project: Project) -> dict[tuple[str, str], str]:
    """Return the SQL of the models as their files have it, without headers."""
    paths = sorted((project.folder / "assets" / "models").glob("*.sql"))
    return {
        (ANALYTICS, path.stem): path.read_text(encoding="utf-8").rpartition("--- */")[2].strip()
        for path in paths
        if "." not in path.stem
    }


def _write_data_docs(
    workspace: Workspace, session: Session, folder: Path, progress: Callable[[str], None]
) -> dict[str, str]:
    """Run the checks again and write their Data Docs; returns where the results of each table are."""
    from leat.quality.checks import model_checks, stream_checks
    from leat.quality.data_docs.build import build_data_docs

    models, rules = workspace.described.models, workspace.described.rules
    checked = [table for declaration in workspace.declarations.values() for table in stream_checks(declaration)]
    checked += [model_checks(model.name, model.checks) for model in models]
    progress(f"running the checks of {len(checked)} tables for Data Docs")
    return build_data_docs(session, checked, rules, folder)
