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
from leat.cli.output import counted, err, say
from leat.cli.run import execute
from leat.cli.usage import UsageMistake
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.engine import Request
from leat.runs.workspace import Workspace
from leat.warehouse.session import Warehouse

_PROPOSED = """
{count} waiting for approval. They would correct what the rules report; leat sends nothing before you approve it:
{actions}
  look at them   {leat} actions
  send them      {leat} actions approve --all
  see them work  {leat} run   (reads the systems again, and resolves what was corrected)\
"""
_NEXT = """
Next:
  query        {leat} query "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5"
  status       {leat} status
  change       edit {declaration}, then `{leat} check` and `{leat} run`
  Dagster UI   {leat} dev   (http://127.0.0.1:3000)
  {reader}
  stop         {leat} demo --stop\
"""
_DASHBOARD = """
Dashboard: {url}
  sign in as {people}
  with the password {password}\
"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(demo)


def demo(
    context: typer.Context,
    repository: Annotated[
        list[str] | None, typer.Option("--repo", help="Also load this git repository; may be repeated.")
    ] = None,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Don't start `leat serve`, which shows the dashboard.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the demo's servers.")] = False,
) -> None:
    """Start a demo company, load everything and serve it. All servers listen on loopback only.

    In an empty folder it writes the demo's declarations, models, rules and automations first.
    """
    if missing := _missing_packages():
        msg = f"the demo's servers are not installed ({missing[0]} and others). Next: `{_install_command()}`"
        raise UsageMistake(msg)
    for address in repository or ():
        _check_readable(address)
    folder: Path = context.meta["project"]
    if not stop:
        _write_declarations(folder)
    workspace: Workspace = context.obj()
    code = _end_servers(workspace) if stop else _start_and_load(workspace, repository or [])
    if not (stop or no_dashboard):
        _show_dashboard(workspace)
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
    _enable_automations(workspace)
    code = 0
    try:
        execute(workspace, read_names(workspace, ()), Request(), as_json=False)
    except typer.Exit as end:
        code = end.exit_code
    _print_next(workspace)
    return code


def _enable_automations(workspace: Workspace) -> None:
    """Enable the demo's own automations that nobody has decided on yet: they only propose."""
    from leat.demo.project import shipped_automations
    from leat.runs.automating import enable, modes_of

    try:
        seen, automations = modes_of(workspace), workspace.automations
    except DeclarationError:
        return  # `leat check` reports a mistake in one; it doesn't stop the demo
    for name in sorted(shipped_automations() & automations.keys() - seen.keys()):
        enable(workspace, automations[name])


def _print_next(workspace: Workspace) -> None:
    """Print the actions that wait for approval, and the commands that come next."""
    from leat.runs.acting import waiting_actions

    project = workspace.project
    at = "" if project.folder == Path.cwd() else f" --project {_short(project.folder)}"
    if profile := os.environ.get("LEAT_PROFILE"):
        at += f" --profile {profile}"
    leat = f"{_program()}{at}"
    if waiting := waiting_actions(workspace):
        place = {row.id: number for number, row in enumerate(waiting)}  # a step comes below the one before it
        waiting.sort(key=lambda row: (place.get(row.after_id or row.id, place[row.id]), row.after_id is not None))
        listed = "\n".join(
            f"  {'then ' if row.after_id else ''}{row.integration}.{row.verb}: {row.title}" for row in waiting
        )
        say(_PROPOSED.format(leat=leat, count=counted(len(waiting), "action"), actions=listed), whole=True)
    text = _NEXT.format(
        leat=leat,
        declaration=_short(project.declaration_paths()[0]),
        reader=_reader(workspace.warehouse),
    )
    say(text, whole=True)  # commands are copied from it


def _show_dashboard(workspace: Workspace) -> None:
    """Start the dashboard where it isn't running; print its address, and who can sign in."""
    from leat.demo.dashboard import examples_of_roles, password_of_people, start_dashboard
    from leat.security.principal import ROLES

    folder = workspace.project.state / "demo"
    workspace.close()
    try:
        url = start_dashboard(folder, workspace.project.folder)
        declared = workspace.security.sign_in
    except RuntimeError as error:  # such as another `leat serve` of this project
        say(("!", "yellow"), f" the dashboard isn't started: {str(error).strip().splitlines()[-1]}", whole=True)
        return
    except DeclarationError:
        return  # `leat check` reports a mistake in policies; it doesn't stop the demo
    if declared is None or not (people := examples_of_roles(declared.roles, ROLES)):
        say(f"\nDashboard: {url}", whole=True)
        return
    listed = [f"{login} ({role})" for role, login in reversed(people.items())]
    named = f"{', '.join(listed[:-1])} or {listed[-1]}" if len(listed) > 1 else listed[0]
    say(_DASHBOARD.format(url=url, people=named, password=password_of_people(folder)), whole=True)


def _missing_packages() -> list[str]:
    """Return the packages of the extra ``demo`` that are not installed."""
    wanted = (each for each in metadata.requires("leat") or () if re.search(r"extra == .demo\b", each))
    names = sorted({name[0] for each in wanted if (name := re.match(r"[\w.-]+", each))})
    return [name for name in names if not _is_installed(name)]


def _install_command() -> str:
    """Return the command that adds the extra ``demo``, for what installed leat: uv or pipx as a tool, uv, or pip."""
    environment = Path(sys.prefix)
    if (environment / "uv-receipt.toml").is_file():
        return "uv tool install --force 'leat[demo]'"
    if (environment / "pipx_metadata.json").is_file():
        return "pipx install --force 'leat[demo]'"
    settings = environment / "pyvenv.cfg"
    made_by_uv = settings.is_file() and re.search(r"^uv *=", settings.read_text(encoding="utf-8"), re.MULTILINE)
    return f"{'uv ' if made_by_uv else ''}pip install 'leat[demo]'"


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
    say(f"wrote the demo's declarations, models, rules and automations to {folder.resolve()}")


def _program() -> str:
    """Return how this program is called from here."""
    called = Path(sys.argv[0])
    return "leat" if shutil.which("leat") == str(called) else _short(called)


def _reader(warehouse: Warehouse) -> str:
    """Return how the warehouse is opened without leat."""
    program, command = warehouse.client
    return f"{program:<13}{command.replace(f'{Path.cwd()}/', '')}"


def _end_servers(workspace: Workspace) -> int:
    """End the demo's servers; returns the exit code."""
    from leat.demo.company import stop_company

    ended = list(stop_company(workspace.project.state / "demo"))
    say(f"ended {', '.join(ended)}" if ended else "no server of the demo is running")
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
