"""``leat dev``: the Dagster UI on the project."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated

import typer

from leat.cli.output import say
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(dev)


def dev(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open the Dagster UI on the project. It runs schedules and sensors, and ends with Ctrl+C."""
    from leat.dagster_project.command_line import open_instance
    from leat.dagster_project.instance import WORKSPACE

    workspace: Workspace = context.obj()
    if not _is_free(port):
        free = next((other for other in range(port + 1, 65536) if _is_free(other)), None)
        step = f"`leat dev --port {free}`" if free else "give --port another one"
        msg = f"port {port} of 127.0.0.1 is in use by another program, perhaps another `leat dev`. Next: {step}"
        raise UsageMistake(msg)
    os.environ |= {
        "DAGSTER_HOME": str(open_instance(workspace)),
        "LEAT_PROJECT": str(workspace.project.folder),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    say(f"Dagster UI: http://127.0.0.1:{port}")
    sys.stdout.flush()
    program = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [*program, "-w", str(WORKSPACE)])  # noqa: S606 - no shell is wanted  # nosec B606


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
