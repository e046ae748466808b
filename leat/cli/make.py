"""Commands that make things: ``init``, ``schema``, ``dev``, ``demo``."""

from __future__ import annotations

import json as jsonlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from leat.cli.output import print_json, say
from leat.cli.run import Json
from leat.runs.workspace import Opened, UsageMistake

_EXAMPLE = """\
# yaml-language-server: $schema=schema.json
source: version_control
driver: git
version: 1
description: The code of this project.
schedule: "*/15 * * * *"
connection:
  repositories: [.]
streams:
  commits: {fresh_within: P1D}
"""
_IGNORED = ".leat/\n.env\n"
_ENV = "# Values that declarations name, one NAME=value a line. Copy to .env and keep it out of version control.\n"


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(init)
    app.command()(schema)
    app.command()(dev)
    app.command()(demo)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the new project.")] = Path(), json: Json = False
) -> None:
    """Make a project: an example declaration and the folders for models and rules; what is there is kept."""
    from leat.pipelines.declare.json_schema import json_schema

    files = {
        "pipelines/code.yaml": _EXAMPLE,
        "pipelines/schema.json": jsonlib.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        "assets/models/.gitkeep": "",
        "quality/rules/.gitkeep": "",
        ".gitignore": _IGNORED,
        ".env.example": _ENV,
    }
    if any((folder / "pipelines").glob("*.yaml")):
        msg = f"{folder.resolve()} has declarations already; `leat check` looks at them"
        raise UsageMistake(msg)
    made = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            made.append(name)
    if json:
        print_json(command="init", folder=str(folder.resolve()), made=made)
        return
    at = "" if folder.resolve() == Path.cwd() else f" --project {folder}"
    say(f"made {', '.join(made)}")
    say(f"Next: edit {folder / 'pipelines/code.yaml'}, then `leat{at} check` and `leat{at} run`")


def schema(
    context: typer.Context,
    write: Annotated[bool, typer.Option("--write", help="Write pipelines/schema.json of the project.")] = False,
) -> None:
    """Print the JSON Schema of declarations, for editors."""
    from leat.pipelines.declare.json_schema import json_schema
    from leat.sources.driver import add_sources

    add_sources((Path(context.meta["project"]) / "sources").resolve())
    text = jsonlib.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if not write:
        sys.stdout.write(text)
        return
    path = Path(context.meta["project"]) / "pipelines" / "schema.json"
    path.write_text(text, encoding="utf-8")
    say(f"wrote {path}")
    alerts = Path(context.meta["project"]) / "quality" / "alerts.yaml"
    if alerts.exists():
        from leat.quality.alerts.schema import alerts_schema

        beside = alerts.with_suffix(".schema.json")
        beside.write_text(jsonlib.dumps(alerts_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"wrote {beside}")


def dev(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open the Dagster UI on the project, with schedules and sensors; ends with Ctrl+C."""
    from leat.dagster_project.instance import WORKSPACE, has_instance, prepare_instance

    opened: Opened = context.obj()
    is_new = not has_instance(opened.project)
    home = prepare_instance(opened.project)
    if is_new:
        from leat.dagster_project.report import report_standing

        report_standing(opened.project, opened.declarations)
    os.environ |= {
        "DAGSTER_HOME": str(home),
        "LEAT_PROJECT": str(opened.project.folder),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    say(f"Dagster UI: http://127.0.0.1:{port}")
    sys.stdout.flush()
    program = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [*program, "-w", str(WORKSPACE)])  # noqa: S606 - no shell is wanted


def demo(
    context: typer.Context,
    repository: Annotated[
        list[str] | None, typer.Option("--repo", help="Also load this git repository; may be repeated.")
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the demo's servers.")] = False,
) -> None:
    """Start the demo company's servers on loopback, load everything, and say what to do next."""
    try:
        from leat.cli.demo_run import end_servers, start_and_load
    except ModuleNotFoundError as error:
        msg = f"the demo's servers are not installed ({error.name}); `uv sync --group demo` installs them"
        raise UsageMistake(msg) from error
    opened: Opened = context.obj()
    code = end_servers(opened) if stop else start_and_load(opened, repository or [])
    if code:
        raise typer.Exit(code)
