"""The web process of ``leat serve``: one event loop that answers webhooks and the API, and the metrics on their port.

::

    python -m leat.serve.web OPTIONS LIVES SOCKET READY
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from types import FrameType

import uvicorn
import uvloop

from leat.hooks.endpoints import read_endpoints
from leat.hooks.segments import SegmentWriter
from leat.limits import CONNECTIONS
from leat.limits import REQUEST_BODY_BYTES as LIMIT
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.stored_secrets import secret_changes
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.error_message import text_of
from leat.runs.dagster_process import meeting_folder
from leat.runs.hooks import applied_up_to
from leat.runs.request_buckets import common_buckets
from leat.runs.server_number import first_number, live_folder
from leat.runs.workspace import Workspace
from leat.serve.app import create_app
from leat.serve.child import start_child
from leat.serve.current import Current
from leat.serve.dagster_ui.process import DagsterProcess
from leat.serve.drain import Drain
from leat.serve.front import Front
from leat.serve.health import Health
from leat.serve.hooks import HooksApp
from leat.serve.limits import share
from leat.serve.metrics import Metrics
from leat.serve.options import Options
from leat.serve.protocol import Protocol
from leat.serve.saturation import Saturation
from leat.serve.supervisor import READY, WANT_AGAIN, WANT_DAGSTER
from leat.serve.traces import Traces
from leat.serve.unavailable import ERRORS
from leat.warehouse.session import Busy, WarehouseError

log = logging.getLogger("leat.serve")
_LOOK = 2.0

GRACE = 20


class _Server(uvicorn.Server):
    """Reports when it answers, and when it is asked to end; then it answers for a while yet, but isn't ready."""

    def __init__(self, config: uvicorn.Config, ready: int, ended: asyncio.Event, drain: Drain) -> None:
        super().__init__(config)
        self._ready, self._ended, self._drain = ready, ended, drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then report."""
        await super().startup(sockets)
        os.write(self._ready, READY)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals in the event loop, between two of its steps, until the process ends.

        uvicorn's handlers run in the middle of whatever Python does, such as writing a line of the log, which then
        can't be begun a second time. It would also remember the signal, and raise it again when it has stopped: the
        process died of it before it had sent its last traces and closed its segment.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; at the end of that, or at a second signal, end.

        Streams of events are ended then, which would never end by themselves.
        """
        if self._drain.begin(self._end):
            return
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._end()

    def _end(self) -> None:
        self._ended.set()
        self.should_exit = True


class _Quiet(uvicorn.Server):
    """A second server of the process: signals are the first one's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def make_config(app: Front, options: Options, protocol: type[Protocol] = Protocol) -> uvicorn.Config:
    """Return how uvicorn serves the front."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="websockets-sansio",  # only Dagster's UI has any, see Protocol and Front
        ws_max_size=LIMIT,
        ws_per_message_deflate=False,
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
    )


async def serve(workspace: Workspace, options: Options, listening: socket.socket, ready: int, key: bytes) -> None:
    """Answer until a signal asks to end; what is under way is answered first."""
    writer = SegmentWriter(live_folder(workspace))
    writer.open(after=_applied(workspace))
    health = Health(workspace, {"webhooks": lambda: writer.failed})
    metrics = Metrics(health.gauges)
    traces = Traces("web")
    current = Current(workspace)
    health.current = current.workspace
    saturation = Saturation()
    health.saturation = saturation.measured()
    app = create_app(
        health,
        current,
        public_url=options.public_url,
        traces=traces,
        private_networks=options.private_networks,
    )
    dagster = app.state.dagster = DagsterProcess(
        meeting_folder(workspace.project), key, lambda again: os.write(ready, WANT_AGAIN if again else WANT_DAGSTER)
    )
    declarations, whole = _declared(workspace)
    hooks = HooksApp(read_endpoints(declarations, workspace.project.folder, options.public_url), writer, metrics)
    app.state.refused = hooks.refused
    for endpoint in hooks.endpoints.values():
        if endpoint.missing is not None:
            log.warning("webhooks are answered by 503: %s", endpoint.missing, extra={"endpoint": endpoint.name})
    front = Front(app, hooks, options.hosts, metrics)
    working = (saturation.watch(), health.watch(), _reload(workspace, options, hooks, whole=whole))
    tasks = [asyncio.create_task(each) for each in working]
    common = common_buckets(workspace)
    if common is not None:
        tasks.append(asyncio.create_task(share(app.state.buckets, common)))
    server = _Server(make_config(front, options), ready, app.state.ended, Drain(health, front, options.drain_seconds))
    async with _metrics_served(metrics, options.metrics_port):
        await server.serve(sockets=[listening])
    for task in tasks:
        task.cancel()
    await dagster.close()
    traces.close()
    writer.close()


def _applied(workspace: Workspace) -> int:
    """Return the number that new webhooks come after, so that also after the loss of the segments none goes unseen."""
    try:
        return applied_up_to(workspace)
    except (WarehouseError, Busy) as error:  # webhooks are taken all the same: the segments nearly always know better
        log.warning("the warehouse wasn't asked for the newest webhook: %s", error)
        return first_number(workspace) - 1


def _declared(workspace: Workspace) -> tuple[Mapping[str, Declaration], bool]:
    """Return the declarations, and whether they have the overrides of the control store, which may not answer yet."""
    try:
        return workspace.declarations, True
    except ERRORS as error:  # webhooks are taken all the same
        log.warning("endpoints are as the files declare them, until the control store answers: %s", text_of(error))
        return Workspace(workspace.project, offline=True).declarations, False


async def _reload(workspace: Workspace, options: Options, hooks: HooksApp, *, whole: bool) -> None:
    """Follow changes of declarations; while one has a mistake, endpoints stay as they are."""
    project = workspace.project
    before = await asyncio.to_thread(_changes, project, hooks) if whole else None
    while True:
        await asyncio.sleep(_LOOK)
        now = await asyncio.to_thread(_changes, project, hooks)
        if now == before:
            continue
        try:
            declarations = await asyncio.to_thread(lambda: Workspace(project).declarations)
        except DeclarationError as error:
            before = now
            log.warning("endpoints stay as they are: %s", error)
            continue
        except ERRORS:  # /readyz says so
            continue
        before = now
        hooks.endpoints = await asyncio.to_thread(read_endpoints, declarations, project.folder, options.public_url)
        log.info("%d endpoints for webhooks", len(hooks.endpoints))


def _changes(project: Project, hooks: HooksApp) -> list[tuple[str, object]]:
    """Return when declarations, and the stored secrets that endpoints name, were changed."""
    files = [(str(path), path.stat().st_mtime_ns) for path in project.declaration_paths() if path.exists()]
    named = {each.secret for one in hooks.endpoints.values() for each in one.declared.secrets if each.secret}
    return [*files, *secret_changes(project, named)]


@contextlib.asynccontextmanager
async def _metrics_served(metrics: Metrics, port: int | None):  # type: ignore[no-untyped-def]
    if port is None:
        yield
        return
    config = uvicorn.Config(
        metrics.app,
        host="127.0.0.1",
        port=port,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await task


def main() -> None:
    """Serve with the arguments of the command line."""
    options, workspace, (listening, ready) = start_child("web")
    key = sys.stdin.buffer.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(workspace, options, socket.socket(fileno=listening), ready, key))


if __name__ == "__main__":
    main()
