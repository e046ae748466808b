"""``leat demo``: the demo company's servers, one run over all of it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv

from leat.cli.names import read_names
from leat.cli.output import err, say
from leat.cli.run import execute
from leat.cli.usage import UsageMistake
from leat.pipelines.load.engine import Request
from leat.runs.workspace import Workspace

_NEXT = """
Next:
  query        {leat} query "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5"
  look         {leat} status
  change       edit {declaration}, then `{leat} check` and `{leat} run`
  Dagster UI   make dev   (http://127.0.0.1:3000)
  DuckDB CLI   duckdb -readonly {warehouse}
  stop         make demo-stop ends the demo's servers\
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(demo)


def demo(
    context: typer.Context,
    repository: Annotated[
        list[str] | None, typer.Option("--repo", help="Also load this git repository; may be repeated.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the demo's servers.")] = False,
) -> None:
    """Start the demo company's servers on loopback, load everything, and say what to do next."""
    try:
        import leat.demo.company  # noqa: F401 - is it installed?
    except ModuleNotFoundError as error:
        msg = f"the demo's servers are not installed ({error.name}). Next: install `leat[demo]`"
        raise UsageMistake(msg) from error
    workspace: Workspace = context.obj()
    code = _end_servers(workspace) if stop else _start_and_load(workspace, repository or [])
    if code:
        raise typer.Exit(code)


def _start_and_load(workspace: Workspace, repositories: Sequence[str]) -> int:
    """Start the servers, load every declared integration and say what to do next; returns the exit code."""
    from leat.dagster_project.instance import prepare_instance
    from leat.demo.company import start_company

    folder = workspace.project.state / "demo"
    with err.status("starting the demo's servers") as status:
        start_company(
            folder,
            workspace.project.folder,
            repositories,
            lambda what: status.update(f"starting the demo's servers: {what}"),
        )
    load_dotenv(folder / "env", override=True)
    prepare_instance(workspace.project)  # so that the UI shows what is loaded now
    code = 0
    try:
        execute(workspace, read_names(workspace, ()), Request(), as_json=False)
    except typer.Exit as end:
        code = end.exit_code
    leat = ".venv/bin/leat"
    declaration = workspace.project.declaration_paths()[0]
    text = _NEXT.format(
        leat=leat, declaration=_short(declaration), warehouse=_short(workspace.project.state / "warehouse.duckdb")
    )
    say(text)
    return code


def _end_servers(workspace: Workspace) -> int:
    """End the demo's servers; returns the exit code."""
    from leat.demo.company import stop_company

    ended = list(stop_company(workspace.project.state / "demo"))
    say(f"ended {', '.join(ended)}" if ended else "no server of the demo is running")
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
