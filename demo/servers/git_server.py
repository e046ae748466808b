"""A git server on loopback: ``git http-backend`` behind a small threaded WSGI server, with optional basic auth.

It serves a folder of bare repositories for reading and pushing::

    python -m leat.demo.servers.git_server --root DIR --port N [--user U]      # the password is in GIT_SERVER_PASSWORD
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import IO, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from leat.demo.servers.process import Process, free_port, start

_CHUNK = 1 << 16
_PASSED = ("PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "REMOTE_ADDR")
StartResponse = Callable[..., Any]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        """Log nothing: the application logs each request before it is answered."""


def application(
    root: Path, user: str | None, password: str | None
) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Return a WSGI application that serves the repositories under ``root``."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def serve(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        print(environ["REQUEST_METHOD"], environ["PATH_INFO"], file=sys.stderr, flush=True)
        given = environ.get("HTTP_AUTHORIZATION", "")
        if user is not None and not hmac.compare_digest(given.encode(), expected.encode()):
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
            return [b""]
        return _backend(root, user, environ, start_response)

    return serve


def _backend(root: Path, user: str | None, environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    env = {name: environ[name] for name in _PASSED if environ.get(name)}
    env |= {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": environ.get("HTTP_GIT_PROTOCOL", ""),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.receivepack",
        "GIT_CONFIG_VALUE_0": "true",
        **({"REMOTE_USER": user} if user else {}),
    }
    with tempfile.TemporaryFile() as body:
        env["CONTENT_LENGTH"] = str(_copy_body(environ, body))
        body.seek(0)
        with subprocess.Popen(["git", "http-backend"], stdin=body, stdout=subprocess.PIPE, env=env) as backend:
            assert backend.stdout is not None  # noqa: S101 - for the type checker; it was opened as a pipe
            status, headers = _headers(backend.stdout)
            start_response(status, headers)
            while piece := backend.stdout.read(_CHUNK):
                yield piece


def _copy_body(environ: dict[str, Any], body: IO[bytes]) -> int:
    """Write the request's body to a file; git sends large ones in chunks (RFC 9112, section 7.1)."""
    source = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return body.write(source.read(int(environ.get("CONTENT_LENGTH") or 0)))
    total = 0
    while size := int(source.readline().split(b";")[0], 16):
        total += body.write(source.read(size))
        source.readline()
    return total


def _headers(out: IO[bytes]) -> tuple[str, list[tuple[str, str]]]:
    """Return status and headers of a CGI answer (RFC 3875, section 6)."""
    status, headers = "200 OK", []
    while line := out.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = value.strip()
        else:
            headers.append((name, value.strip()))
    return status, headers


def start_git_server(
    folder: Path, root: Path, port: int | None = None, user: str | None = None, password: str | None = None
) -> Process:
    """Start the server as a process of its own; its URLs are ``http://127.0.0.1:<port>/<repository>.git``.

    Args:
        folder: where its log goes.
        root: folder of bare repositories.
        port: TCP port; a free one if None.
        user: who may sign in; None lets everybody read and push.
        password: that user's password.

    Raises:
        RuntimeError: it did not start.
    """
    port = port or free_port()
    argv = [sys.executable, "-m", "leat.demo.servers.git_server", "--root", str(root.resolve()), "--port", str(port)]
    here = str(Path(__file__).parents[3])
    env = {"PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
    if user is not None:
        argv += ["--user", user]
        env["GIT_SERVER_PASSWORD"] = password or ""
    return start("git", argv, folder, port, env)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="Serve a folder of bare git repositories on 127.0.0.1.")
    parser.add_argument("--root", type=Path, required=True, help="folder of bare repositories")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", help="who may sign in; the password is in GIT_SERVER_PASSWORD")
    options = parser.parse_args()
    app = application(options.root.resolve(), options.user, os.environ.get("GIT_SERVER_PASSWORD"))
    with make_server("127.0.0.1", options.port, app, _Server, _Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
