"""``leat demo``: the demo company's servers, one run over all of it, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from dotenv import load_dotenv

from leat.cli.output import err, say
from leat.cli.run import execute
from leat.dagster_project.instance import prepare_instance
from leat.demo.company import start_company, stop_company
from leat.pipelines.load.run import Request
from leat.runs.workspace import Opened

_NEXT = """
Next:
  query        {leat} query "SELECT * FROM analytics.commit_activity ORDER BY week DESC LIMIT 5"
  look         {leat} status
  change       edit {declaration}, then `{leat} check` and `{leat} run`
  Dagster UI   make dev   (http://127.0.0.1:3000)
  DuckDB CLI   duckdb -readonly {warehouse}
  stop         make demo-stop ends the demo's servers\
"""


def start_and_load(opened: Opened, repositories: Sequence[str]) -> int:
    """Start the servers, load every declared integration and say what to do next; returns the exit code."""
    folder = opened.project.state / "demo"
    with err.status("starting the demo's servers") as status:
        start_company(
            folder,
            opened.project.folder,
            repositories,
            lambda what: status.update(f"starting the demo's servers: {what}"),
        )
    load_dotenv(folder / "env", override=True)
    prepare_instance(opened.project)  # so that the UI shows what is loaded now
    code = 0
    try:
        execute(opened, opened.names(()), Request(), as_json=False)
    except typer.Exit as end:
        code = end.exit_code
    leat = ".venv/bin/leat"
    declaration = opened.project.declaration_paths()[0]
    text = _NEXT.format(
        leat=leat, declaration=_short(declaration), warehouse=_short(opened.project.state / "warehouse.duckdb")
    )
    say(text)
    return code


def end_servers(opened: Opened) -> int:
    """End the demo's servers; returns the exit code."""
    ended = list(stop_company(opened.project.state / "demo"))
    say(f"ended {', '.join(ended)}" if ended else "no server of the demo is running")
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
