"""``leat init``: a new project, with an example declaration."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from leat.cli.output import Json, print_json, say
from leat.cli.usage import UsageMistake

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
_IGNORED = ".leat/\nsecrets/\n.env\n.env.*\n!.env.example\n"
_ENV = "# Values that declarations name, one NAME=value per line. Copy to .env, and don't commit that file.\n"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the new project.")] = Path(),
    json: Json = False,
) -> None:
    """Create a project. It has an example declaration, and folders for models and rules. Existing files stay."""
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
        msg = f"{folder.resolve()} already has declarations; `leat check` validates them"
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
    if not (folder / ".git").exists():
        say(f"{folder.resolve()} is no git repository: name one in pipelines/code.yaml, or run `git init`")
    say(f"Next: edit {folder / 'pipelines/code.yaml'}, then `leat{at} check` and `leat{at} run`")
