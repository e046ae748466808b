"""``leat doctor``: problems that stop leat from working, each with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import typer

from leat.cli.output import Json, mark_of, print_json, say
from leat.cli.usage import FAILED
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs.workspace import Workspace
from leat.sources.errors import NotConfigured
from leat.sources.settings import named_in
from leat.sqlcipher import is_encrypted
from leat.warehouse.session import Busy, WarehouseError

_ENOUGH_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(doctor)


def doctor(context: typer.Context, json: Json = False) -> None:
    """Diagnose what prevents leat from working here. Say what to do about it."""
    workspace: Workspace = context.obj()
    findings: list[Finding] = list(examine(workspace))
    ok = all(finding.ok for finding in findings)
    if json:
        print_json(command="doctor", ok=ok, findings=[asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(mark_of(finding.ok), f" {finding.what}: {finding.detail}")
    if not ok:
        raise typer.Exit(FAILED)


def examine(workspace: Workspace) -> Iterator[Finding]:
    """Yield one finding after another; nothing is changed but what opening the control store changes."""
    yield Finding("python", ok=True, detail=f"{platform.python_version()} on {platform.system()}")
    yield _git()
    yield from _state(workspace)
    yield _declared(workspace)
    yield from _variables(workspace)
    yield _warehouse(workspace)
    yield _store(workspace)
    yield from _keys(workspace)
    yield from _grants(workspace)


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", ok=False, detail="not installed; the driver version_control/git needs it")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return Finding("git", ok=True, detail=version)


def _state(workspace: Workspace) -> Iterator[Finding]:
    state = workspace.project.state
    open_to_others = stat.S_IMODE(state.stat().st_mode) & 0o077
    detail = f"{state} can be read by others; `chmod 700` it" if open_to_others else f"{state}, private"
    yield Finding("state folder", ok=not open_to_others, detail=detail)
    free = shutil.disk_usage(state).free
    enough = free >= _ENOUGH_BYTES
    yield Finding(
        "disk", ok=enough, detail=f"{free / 1e9:.1f} GB free{'' if enough else '; a load needs room to land'}"
    )


def _declared(workspace: Workspace) -> Finding:
    try:
        return Finding("declarations", ok=True, detail=", ".join(workspace.declarations))
    except DeclarationError as error:
        return Finding("declarations", ok=False, detail=str(error))


def _variables(workspace: Workspace) -> Iterator[Finding]:
    try:
        declarations = workspace.declarations
    except DeclarationError:
        return
    for name, declaration in declarations.items():
        missing = sorted({n.env for _, n in named_in(declaration.connection) if n.env and n.env not in os.environ})
        if missing:
            listed = ", ".join(missing)
            yield Finding(f"variables of {name}", ok=False, detail=f"{listed} not set; set them or write them in .env")


def _warehouse(workspace: Workspace) -> Finding:
    kind = workspace.warehouse.dialect.engine
    try:
        with workspace.warehouse.transaction("leat") as session:  # a run writes, which another program may prevent
            by_language = session.execute("SELECT 'a' < 'B'")[0][0]  # by code points, capitals come first
    except (WarehouseError, Busy) as error:
        return Finding("warehouse", ok=False, detail=str(error))
    note = "; it orders texts by a language, DuckDB by code points: see docs/operations.md" if by_language else ""
    form = ", encrypted" if workspace.warehouse.encrypted else ""
    return Finding("warehouse", ok=True, detail=f"{kind} can be opened{form}{note}")


def _store(workspace: Workspace) -> Finding:
    try:
        encrypted = ", encrypted" if is_encrypted(workspace.store) else ""
        return Finding("control store", ok=True, detail=f"{workspace.store.dialect.name} can be opened{encrypted}")
    except WarehouseError as error:
        return Finding("control store", ok=False, detail=str(error))


def _keys(workspace: Workspace) -> Iterator[Finding]:
    """Yield whether what is encrypted can be decrypted, and the stored secrets that are missing."""
    from leat.runs.keys import keys_status
    from leat.runs.stored_secrets import missing_secrets

    try:
        status = keys_status(workspace)
        there = f"{status.provider}: {status.where}" if status.keys else "nothing is encrypted yet"
        yield Finding("keys", ok=status.problem is None, detail=status.problem or there)
        for name, where in missing_secrets(workspace).items():
            detail = f"named in {', '.join(where)} and not stored; `leat secret set {name}`"
            yield Finding(f"secret {name}", ok=False, detail=detail)
    except (WarehouseError, Busy, NotConfigured, DeclarationError) as error:
        yield Finding("keys", ok=False, detail=str(error))


def _grants(workspace: Workspace) -> Iterator[Finding]:
    """Yield whether the rights in the warehouse are those of policies/, where they grant any."""
    from leat.runs.granting import plan

    try:
        if workspace.security.grants is None:
            return
        granting = plan(workspace)
    except (DeclarationError, WarehouseError, Busy) as error:
        yield Finding("grants", ok=False, detail=str(error))
        return
    changes, roles = granting.plan.statements, len(granting.plan.names)
    detail = (
        f"{len(changes)} rights differ from policies/; `leat access plan` shows them, `leat access apply` changes them"
    )
    yield Finding("grants", ok=not changes, detail=detail if changes else f"{roles} roles read what policies/ permit")
