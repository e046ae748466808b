"""``leat serve``: webhooks, the API, and the work that schedules and webhooks ask for, until it is stopped."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from leat.cli.on_ray import check_cluster
from leat.cli.output import Json, mark_of, print_json, say
from leat.cli.usage import FAILED, UsageMistake
from leat.files import lock
from leat.runs.workspace import Workspace
from leat.warehouse.session import Busy, Unreachable, WarehouseError

if TYPE_CHECKING:
    from leat.serve.options import Options

log = logging.getLogger("leat.serve")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(serve)


def serve(  # noqa: PLR0913, PLR0917 - each is an option of the command
    context: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 for a free one.")] = 8765,
    url: Annotated[
        str | None,
        typer.Option("--url", help="How others reach it, for example through a reverse proxy.", envvar="LEAT_URL"),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option("--trusted-proxy", help="Address or network whose X-Forwarded headers count; may be repeated."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=0, max=65535, help="Port of /metrics on 127.0.0.1.")
    ] = None,
    private_network: Annotated[
        list[str] | None,
        typer.Option("--private-network", help="Network whose systems may be added in the browser; may be repeated."),
    ] = None,
    drain: Annotated[
        float,
        typer.Option("--drain", min=0, max=600, help="Seconds to go on serving after SIGTERM, while /readyz says 503."),
    ] = 0,
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="URL", help="Run as jobs of the Ray cluster with this dashboard.", envvar="LEAT_RUN_ON"
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only check that it could start.")] = False,
    link: Annotated[bool, typer.Option("--link", help="Only print a new link to sign in to a running server.")] = False,
    json: Json = False,
) -> None:
    """Serve the dashboard, the API and webhooks; run schedules.

    It ends with Ctrl+C or SIGTERM.
    """
    from leat.serve.options import Options, is_loopback
    from leat.serve.supervisor import Supervisor

    workspace: Workspace = context.obj(may_be_empty=True)
    if not is_loopback(host) and workspace.security.sign_in is None:
        msg = (
            f"--host {host}: other machines could reach leat, and no sign-in is configured. Next: leave it on "
            "127.0.0.1 and put a reverse proxy in front for webhooks"
        )
        raise UsageMistake(msg)
    if url is not None:
        _check_url(url)
    for proxy in trusted_proxy or ():
        _check_network("--trusted-proxy", proxy)
    for network in private_network or ():
        _check_network("--private-network", network)
    if on is not None:
        check_cluster(workspace, on)
    folder = str(workspace.project.folder)
    options = Options(
        folder, host, port, url, tuple(trusted_proxy or ()), metrics_port, tuple(private_network or ()), drain, on
    )
    if link:
        _print_link(workspace, options, as_json=json)
        return
    given = os.environ.get("LISTEN_PID") == str(os.getpid())  # then systemd has bound the port
    problems, away = _problems(workspace, None if given else (options.host, options.port))
    if check:
        from leat.runs.hooks import missing_secrets
        from leat.runs.signing_in import provider_problem

        more: dict[str, str | None] = {
            "sign_in": provider_problem(workspace),
            "webhooks": "; ".join(missing_secrets(workspace).values()),
        }
        more["control_store"] = away
        _report(problems | {name: why for name, why in more.items() if why}, as_json=json)
        return
    if problems:
        raise UsageMistake("; ".join(problems.values()))
    workspace.close()
    announced = False

    def announce(served: Options) -> None:
        nonlocal announced
        if announced:  # the web process was restarted
            return
        announced = True
        _announce(workspace, served, as_json=json)

    from leat.runs.json_log import log_as_json

    log_as_json("supervisor")
    if away is not None:
        log.warning("%s. Until it does, /readyz answers 503", away)
    try:
        with lock(workspace.project.state / "serve.lock", 0):
            raise typer.Exit(Supervisor(options, announce).run())
    except BlockingIOError as error:
        msg = "another `leat serve` of this project is running; end it first"
        raise Busy(msg) from error


def _announce(workspace: Workspace, served: Options, *, as_json: bool) -> None:
    """Print where it serves, and a link to sign in."""
    try:
        sign_in = _sign_in_link(workspace, served)
    except (WarehouseError, Busy) as error:
        sign_in = None
        log.warning("there is no link to sign in: %s. Next: `leat serve --link` prints one later", error)
    if as_json:
        at = f"http://{served.host}:{served.port}"
        print_json(command="serve", url=at, public_url=served.public_url, sign_in_url=sign_in)
    else:
        say(f"leat serves on http://{served.host}:{served.port}")
        if sign_in is not None:
            say(f"sign in, once, within 10 minutes: {sign_in}", whole=True)
    sys.stdout.flush()


def _runs(workspace: Workspace) -> bool:
    """Return whether a server of the project runs on this machine."""
    try:
        with lock(workspace.project.state / "serve.lock", 0):
            return False
    except BlockingIOError:
        return True


def _sign_in_link(workspace: Workspace, options: Options) -> str | None:
    from leat.runs.signing_in import link

    try:
        return link(workspace, options.local_url)
    finally:
        workspace.close()


def _print_link(workspace: Workspace, options: Options, *, as_json: bool) -> None:
    if not _runs(workspace):
        msg = "no `leat serve` of this project is running here; start it, and it prints a link"
        raise UsageMistake(msg)
    made = _sign_in_link(workspace, options)
    if made is None:
        msg = "people sign in at the identity provider of `policies/`, so there are no links"
        raise UsageMistake(msg)
    if as_json:
        print_json(command="serve", sign_in_url=made)
    else:
        say(made, whole=True)


def _check_url(url: str) -> None:
    from leat.serve.options import is_loopback

    if not url.startswith(("http://", "https://")):
        msg = f"--url {url!r} isn't an address such as https://leat.example.com"
        raise UsageMistake(msg)
    if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
        msg = f"--url {url}: sessions and data would cross the network in clear. Next: let a reverse proxy speak https"
        raise UsageMistake(msg)


def _check_network(option: str, text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        msg = f"{option} {text!r}: {error}"
        raise UsageMistake(msg) from error


def _problems(workspace: Workspace, address: tuple[str, int] | None) -> tuple[dict[str, str], str | None]:
    """Return what prevents serving, by the name of the check, and why the control store doesn't answer yet.

    Args:
        workspace: the project.
        address: where it has to be free.

    Raises:
        DeclarationError: a declaration or a policy has a mistake.
        WarehouseError: the control store can't be used, and waiting changes nothing.
    """
    from leat.runs.health import store_away
    from leat.runs.keys import key_problem
    from leat.runs.server_number import numbering_problem

    looked = {"port": address and _port_problem(*address), "server": numbering_problem(workspace)}
    away = store_away(workspace)
    try:
        if away is None:
            _ = workspace.declarations
            looked["keys"] = key_problem(workspace)
    except Unreachable as error:  # it was there a moment ago
        away = str(error)
    if away is not None:
        _ = Workspace(workspace.project, offline=True).declarations
    _ = workspace.security
    return {name: why for name, why in looked.items() if why is not None}, away


def _port_problem(host: str, port: int) -> str | None:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)  # strerror of the error repeats the address
        return f"port {port} of {host} can't be used: {why}; end what uses it, or give --port another one"


def _report(problems: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(command="serve", ready=not problems, problems=problems)
    else:
        for name in ("declarations", "control_store", "keys", "port", "server", "sign_in", "webhooks"):
            say(mark_of(name not in problems), f" {name.replace('_', ' ')}: {problems.get(name, 'ok')}")
    if problems:
        raise typer.Exit(FAILED)
