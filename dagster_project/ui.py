"""The process of Dagster's UI in ``leat serve``: Dagster's own web server on a socket of its own, and its run queue.

::

    python -m leat.dagster_project.ui PROJECT LIVES < KEY

It ends with the supervisor, and when nobody has used it for a while and no run of Dagster's is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from leat.dagster_project.command_line import open_instance
from leat.dagster_project.instance import WORKSPACE
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.error_message import log_error
from leat.runs.dagster_process import meeting_folder, note_failure, prepare_start, socket_path
from leat.runs.json_log import log_as_json
from leat.runs.lifeline import end_with_parent
from leat.runs.workspace import NoProject, open_workspace

if TYPE_CHECKING:
    import dagster as dg
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext

    from leat.dagster_project.webserver import Entrance

log = logging.getLogger("leat.dagster")

IDLE = "LEAT_DAGSTER_IDLE"
"""The variable that says after how many seconds without a request the process ends."""
_IDLE_SECONDS = 900.0
_LOOK = 5.0
_GRACE = 3
_CHILDREN_SECONDS = 5.0


class CannotStart(Exception):
    """Dagster can't be shown; the text says why.

    Attributes:
        next_step: what to do.
    """

    def __init__(self, why: str, next_step: str) -> None:
        super().__init__(why)
        self.next_step = next_step


def main() -> None:
    """Serve with the arguments of the command line."""
    project, lives = sys.argv[1:]
    key = sys.stdin.buffer.read()
    end_with_parent(int(lives))
    folder: Path | None = None
    try:
        workspace = open_workspace(Path(project))
        folder = meeting_folder(workspace.project)
        _take_output(workspace.project.state)
        _ = workspace.described
        os.environ |= {
            "DAGSTER_HOME": str(open_instance(workspace)),
            "LEAT_PROJECT": str(workspace.project.folder),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        workspace.close()
        with _dagster() as context:
            asyncio.run(_serve(context, folder, key))
    except (CannotStart, DeclarationError, NoProject) as error:
        log.warning("Dagster can't be shown: %s", error)
        step = getattr(error, "next_step", "correct it; `leat check` shows all mistakes")
        _note(folder, str(error).rstrip("."), step)
        raise SystemExit(1) from None
    except Exception as error:
        log_error(log, error, "Dagster can't be shown")
        _note(
            folder,
            f"it ended with {type(error).__name__}",
            "look into the log of `leat serve`; `leat dev` may say more",
        )
        raise SystemExit(1) from None
    finally:
        _end_children()


def _note(folder: Path | None, why: str, next_step: str) -> None:
    if folder is not None:
        note_failure(folder, why, next_step)


def _take_output(state: Path) -> None:
    """Log as the other processes do; what Dagster's own processes print goes to a file, since it is no JSON."""
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
    os.set_inheritable(sys.stderr.fileno(), False)
    log_as_json("dagster")
    printed = os.open(state / "dagster-output.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(printed, descriptor)
    os.close(printed)


@contextlib.contextmanager
def _dagster() -> Iterator[WorkspaceProcessContext]:
    """Give the project as Dagster has it, with the daemons that launch, retry and end runs.

    Raises:
        CannotStart: its definitions can't be loaded.
    """
    import dagster as dg
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._daemon.controller import DagsterDaemonController, create_daemon_of_type
    from dagster_webserver.version import __version__

    if not WORKSPACE.exists():
        msg = f"{WORKSPACE.name}, which names the project to Dagster, isn't there"
        raise CannotStart(msg, "install leat again")
    with contextlib.ExitStack() as stack:
        try:
            instance = stack.enter_context(dg.DagsterInstance.get())
        except dg.DagsterError as error:
            why = " ".join(str(error).partition(" Expected:")[0].split())  # what follows lists every setting
            raise CannotStart(why, f"correct dagster.yaml in {os.environ['DAGSTER_HOME']}") from error
        target = WorkspaceFileTarget(paths=[str(WORKSPACE)])
        context = stack.enter_context(
            WorkspaceProcessContext(instance, target, version=__version__, code_server_log_level="warning")
        )
        for wrong in context.create_request_context().code_location_errors():
            raise CannotStart(wrong.message.strip().splitlines()[-1], "`leat check` shows mistakes of the project")
        kinds = ("QUEUED_RUN_COORDINATOR", "MONITORING", "FRESHNESS_DAEMON", "EVENT_LOG_CONSUMER")
        needed = [kind for kind in kinds if kind in instance.get_required_daemon_types()]
        daemons = [stack.enter_context(create_daemon_of_type(kind, instance)) for kind in needed]
        if daemons:
            stack.enter_context(DagsterDaemonController(context, daemons))
        yield context


async def _serve(context: WorkspaceProcessContext, folder: Path, key: bytes) -> None:
    """Answer until a signal asks to end, or nobody has asked for anything for a while."""
    import uvicorn

    from leat.dagster_project.webserver import Entrance, Webserver

    entrance = Entrance(Webserver.of(context).create_asgi_app(), key)

    class Server(uvicorn.Server):
        """Only ends: uvicorn's own would die of the signal then, before Dagster's processes have ended."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.should_exit = True

    server = Server(
        uvicorn.Config(entrance, lifespan="off", log_config=None, access_log=False, server_header=False,
                       ws="websockets-sansio", timeout_graceful_shutdown=_GRACE)
    )  # fmt: skip
    prepare_start(folder)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    listening.bind(socket_path(folder))
    os.umask(before)
    watching = asyncio.create_task(end_when_idle(server, entrance, context.instance))
    log.info("Dagster's UI answers")
    await server.serve(sockets=[listening])
    watching.cancel()


async def end_when_idle(server: uvicorn.Server, entrance: Entrance, instance: dg.DagsterInstance) -> None:
    """Ask the server to end when nobody has asked for anything for a while, and no run is under way."""
    import dagster as dg

    patience = float(os.environ.get(IDLE) or _IDLE_SECONDS)
    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])  # fmt: skip
    while True:
        await asyncio.sleep(min(_LOOK, patience))
        if entrance.idle_seconds() < patience:
            continue
        if not await asyncio.to_thread(instance.get_runs, under_way, None, 1):
            log.info("nobody has used Dagster's UI for %.0f s", patience)
            server.should_exit = True
            return


def _end_children() -> None:
    """End the processes of Dagster's code and runs, which are in this process's group; leat takes their loads back.

    Dagster's code server, once it has launched a run, needs most of a minute to notice SIGTERM.
    """
    deadline = time.monotonic() + _CHILDREN_SECONDS
    _signal_group(signal.SIGTERM)
    while _signal_group(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_group(signal.SIGKILL)


def _signal_group(number: int) -> bool:
    """Send a signal to the others of this process's group, 0 for none; return whether there are any."""
    others = False
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _parent, group = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            pid = int(entry.parent.name)
            if int(group) == os.getpid() != pid and state != "Z":
                os.kill(pid, number)
                others = True
    return others


if __name__ == "__main__":
    main()
