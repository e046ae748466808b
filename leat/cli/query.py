"""``leat query``: a read-only query on the published version of the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from leat.cli.output import Json
from leat.cli.rows import Form, print_rows
from leat.cli.usage import UsageMistake
from leat.runs.access import Resource, local_user, require
from leat.runs.granting import query_role
from leat.runs.reveal import of_query
from leat.runs.workspace import Workspace
from leat.warehouse.answer import Limits, size_in_bytes


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(query)


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from standard input.")],
    form: Annotated[Form, typer.Option("--format", help="How rows are printed.")] = Form.table,
    json: Json = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds of work that it may take.")] = 600,
    memory: Annotated[str, typer.Option("--memory", help="Memory that it may take.")] = "1GB",
    disk: Annotated[str, typer.Option("--disk", help="Disk for what doesn't fit into memory.")] = "10GB",
) -> None:
    """Run a read-only query on the published version."""
    workspace: Workspace = context.obj()
    try:
        limits = Limits(timeout, size_in_bytes(memory), size_in_bytes(disk))
    except ValueError as error:
        msg = f"--memory and --disk: {error}"
        raise UsageMistake(msg) from error
    text = typer.get_text_stream("stdin").read() if sql == "-" else sql
    require(workspace, "query", Resource("query"))
    reveal = of_query(workspace, text)
    role = query_role(workspace, local_user(workspace).role)
    with workspace.warehouse.query(text, limits, role) as rows:
        answer = reveal.answer(rows)
        print_rows(answer.columns, answer.rows, Form.json if json else form)
