"""``leat move``: move the warehouse to another engine, or the control store to another database."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from leat.cli.output import Json, counted, err, mark_of, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import BLOCKED, UsageMistake
from leat.runs.access import Resource, record, require
from leat.runs.workspace import Workspace
from leat.security.policy_file import declares_grants
from leat.sources.settings import remember_secret
from leat.warehouse.url import (
    check_postgres_url,
    is_ducklake,
    is_postgres,
    is_shared_lake,
    passwords_in,
    read_lake_url,
    shown_url,
)

_DUCKDB = "duckdb"
_DUCKLAKE = "ducklake"
_SQLITE = "sqlite"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(move)


def move(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            help="Where to: duckdb, ducklake, a postgresql:// URL without a password, or env:NAME for a variable's.",
        ),
    ],
    control: Annotated[
        bool, typer.Option("--control", help="Move the control store instead: to sqlite, a URL, or env:NAME.")
    ] = False,
    json: Json = False,
) -> None:
    """Move the warehouse to another engine. The old one isn't changed.

    Nobody reads the new one before all tables compare equal. It can be killed and run again.
    """
    workspace: Workspace = context.obj()
    require(workspace, "administer", Resource("overview"))
    if control:
        _move_control(workspace, to, as_json=json)
    else:
        _move_warehouse(workspace, to, as_json=json)


def _move_warehouse(workspace: Workspace, to: str, *, as_json: bool) -> None:
    from leat.runs.moving.warehouse import move_warehouse
    from leat.runs.run import refresh_and_publish

    url = _warehouse_url(to)
    if _place(url) == _place(workspace.project.warehouse_url):
        msg = f"the warehouse is on {_place(url)} already"
        raise UsageMistake(msg)
    new = Workspace(replace(workspace.project, warehouse_url=url))
    moved = move_warehouse(workspace, new.warehouse, _progress)
    refreshed, publication = refresh_and_publish(new)
    errors = list(refreshed.errors) if refreshed else []
    new.close()
    if workspace.warehouse.encrypted and not new.warehouse.encrypted:
        err.print("the old warehouse was encrypted by leat, and the files of the new one aren't")
    record(workspace, "warehouse.moved", {"to": new.warehouse.dialect.engine, "tables": len(moved)})
    step = "unset LEAT_WAREHOUSE" if url is None else f"set LEAT_WAREHOUSE to {to.replace('env:', 'the value of ')}"
    if declares_grants(workspace.project):
        step += ", run `leat access apply`"
    _report("move", moved, step, as_json=as_json, errors=errors)
    if publication.explanation is not None:
        err.print(f"not published: {publication.explanation}")
        raise typer.Exit(BLOCKED)


def _warehouse_url(to: str) -> str | None:
    if to == _DUCKDB:
        return None
    url = to if is_ducklake(to) and not is_shared_lake(to) else _url(to, f"{_DUCKDB}, {_DUCKLAKE}")
    return url if is_ducklake(url) else check_postgres_url(url, "the URL of the new warehouse")


def _place(url: str | None) -> str:
    if url is None:
        return "DuckDB"
    if is_shared_lake(url):
        return f"DuckLake of {shown_url(read_lake_url(url, 'the URL of the new warehouse')[0])}"
    return "DuckLake" if is_ducklake(url) else shown_url(url)


def _move_control(workspace: Workspace, to: str, *, as_json: bool) -> None:
    from leat.runs.moving.control_store import move_control

    url = f"sqlite:///{workspace.project.state / 'control.db'}" if to == _SQLITE else _url(to, _SQLITE)
    if url == workspace.project.control_url:
        msg = "the control store is there already"
        raise UsageMistake(msg)
    moved = move_control(workspace, url, _progress)
    step = "unset LEAT_CONTROL" if to == _SQLITE else f"set LEAT_CONTROL to {to}".replace("env:", "the value of ")
    _report("move control", moved, step, as_json=as_json, errors=[])


def _progress(each: Any) -> None:
    if err.is_terminal:
        err.print(f"{each.table}: {counted(each.rows, 'row')}")


def _url(to: str, word: str) -> str:
    """Return the URL that an argument gives; a password on the command line would be seen by other accounts.

    Raises:
        UsageMistake: it gives none.
    """
    if to.startswith("env:"):
        name = to.removeprefix("env:")
        url = os.environ.get(name)
        if not url:
            msg = f"{to}: the variable {name} is not set"
            raise UsageMistake(msg)
        for password in passwords_in(url):
            remember_secret(password)
        return url
    if any(passwords_in(to)):
        msg = "a password on the command line can be read by every account. Next: put the URL into a variable: env:NAME"
        raise UsageMistake(msg)
    if not is_postgres(to) and not is_shared_lake(to) and not to.startswith("sqlite:////"):
        msg = f"{to!r} is no place to move to. Next: give {word}, postgresql://user@host/database, or env:NAME"
        raise UsageMistake(msg)
    return to


def _report(command: str, moved: Sequence[Any], step: str, *, as_json: bool, errors: list[str]) -> None:
    rows = sum(each.rows for each in moved)
    if as_json:
        print_json(command=command, tables=[asdict(each) for each in moved], rows=rows, next=step, errors=errors)
        return
    print_table(("table", "rows", "checksum"), [(each.table, each.rows, each.checksum) for each in moved])
    say(mark_of(True), f" {counted(len(moved), 'table')} with {counted(rows, 'row')}: equal in both")
    for error in errors:
        say(("!", "yellow"), f" {error}")
    say(f"the old one isn't changed. Next: {step}, then `leat run`")
