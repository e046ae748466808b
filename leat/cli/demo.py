"""``leat demo``: the demo company's servers, one run over all of it, and what to do next."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv

from leat.cli.names import read_names
from leat.cli.output import err, say
from leat.cli.run import execute
from leat.cli.usage import UsageMistake
from leat.pipelines.declare.project import Project
from leat.pipelines.load.engine import Request
from leat.runs.workspace import Workspace

_NEXT = """
Next:
  query        {leat} query "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5"
  status       {leat} status
  change       edit {declaration}, then `{leat} check` and `{leat} run`
  Dagster UI   {leat} dev   (http://127.0.0.1:3000)
  {reader}
  stop         {leat} demo --stop\
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
    """Start a demo company's servers and load everything. The servers listen on loopback only.

    In an empty folder it writes the demo's declarations, models and rules first.
    """
    if missing := _missing_packages():
        msg = (
            f"the demo's servers are not installed ({missing[0]} and others). "
            "Next: `pip install 'leat[demo]'`, or `uv tool install 'leat[demo]'`"
        )
        raise UsageMistake(msg)
    for address in repository or ():
        _check_readable(address)
    folder: Path = context.meta["project"]
    if not stop:
        _write_declarations(folder)
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
    project = workspace.project
    at = "" if project.folder == Path.cwd() else f" --project {_short(project.folder)}"
    text = _NEXT.format(
        leat=f"{_program()}{at}",
        declaration=_short(project.declaration_paths()[0]),
        reader=_reader(project),
    )
    say(text)
    return code


def _missing_packages() -> list[str]:
    """Return the packages of the extra ``demo`` that are not installed."""
    wanted = (each for each in metadata.requires("leat") or () if re.search(r"extra == .demo\b", each))
    names = sorted({name[0] for each in wanted if (name := re.match(r"[\w.-]+", each))})
    return [name for name in names if not _is_installed(name)]


def _is_installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _check_readable(address: str) -> None:
    """Ask git for the branches of a repository.

    Raises:
        UsageMistake: git can't read it.
    """
    asked = ["git", "ls-remote", "--heads", "--", address]
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(asked, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.strip()), "no reason given")
        text = f"--repo {address}: git can't read it: {reason}. Next: try `git ls-remote {address}`"
        raise UsageMistake(re.sub(r"//[^/@\s]*@", "//", text))  # without a password in the address


def _write_declarations(folder: Path) -> None:
    """Make an empty folder the demo's project; one that declares a system of the demo is one already.

    Raises:
        UsageMistake: the folder has something else in it.
    """
    from leat.demo.project import declared_systems, write_project

    if any((folder / "pipelines" / f"{name}.yaml").exists() for name in declared_systems()):
        return
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        msg = (
            f"{folder.resolve()} is neither empty nor the demo's project. Next: `{_program()} --project leat-demo demo`"
        )
        raise UsageMistake(msg)
    write_project(folder)
    say(f"wrote the demo's declarations, models and rules to {folder.resolve()}")


def _program() -> str:
    """Return how this program is called from here."""
    called = Path(sys.argv[0])
    return "leat" if shutil.which("leat") == str(called) else _short(called)


def _reader(project: Project) -> str:
    """Return how the warehouse is opened without leat, which differs between the engines."""
    if project.warehouse_url is not None:
        return 'psql         psql "$LEAT_WAREHOUSE"'
    return f"DuckDB CLI   duckdb -readonly {_short(project.state / 'warehouse.duckdb')}"


def _end_servers(workspace: Workspace) -> int:
    """End the demo's servers; returns the exit code."""
    from leat.demo.company import stop_company

    ended = list(stop_company(workspace.project.state / "demo"))
    say(f"ended {', '.join(ended)}" if ended else "no server of the demo is running")
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
