"""The server's requests: collections in pages, their children, tokens, and the control path."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.servers.api_server.access import give_token, is_allowed
from tests.servers.api_server.faults import due_fault, fail
from tests.servers.api_server.limits import count_request
from tests.servers.api_server.pages import page_of
from tests.servers.api_server.state import Seen, State, change_state

CONTROL = "/_control"
VERSION_HEADER = "API-Version"


class ApiServer(ThreadingHTTPServer):
    """The server; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, state: State, port: int) -> None:
        super().__init__(("127.0.0.1", port), ApiHandler)
        self.state = state

    @property
    def url(self) -> str:
        """Address of the server, with a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}/"


class ApiHandler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the headers and the body leave in one piece
    server: ApiServer

    def do_GET(self) -> None:
        """Answer a request."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a request."""
        self._answer()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path == CONTROL:
            self._control(state, body)
            return
        seen = Seen(time.monotonic(), self.command, parts.path, query, dict(self.headers.items()))
        with state.lock:
            state.seen.append(seen)
        if state.delay:
            time.sleep(state.delay)
        fault = due_fault(state, parts.path)
        if fault is not None and fault.kind in ("status", "redirect", "html", "text", "cut", "hang"):
            seen.status = fail(self, fault, b"")
            return
        status, headers, value = self._reply(state, parts.path, query, body)
        content = b"" if status == 304 else json.dumps(value).encode()
        if fault is not None and status == 200:
            seen.status = fail(self, fault, content)
            return
        seen.status = status
        self._send(status, headers, content)

    def _reply(self, state: State, path: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], Any]:
        if path == "/oauth/token":
            status, answer = give_token(state, self.headers, body)  # type: ignore[arg-type]
            return status, {"Cache-Control": "no-store"}, answer
        allowed, headers = count_request(state)
        if not allowed:
            return 429, headers, {"error": "too many requests"}
        if not is_allowed(state, self.headers, query):  # type: ignore[arg-type]
            return 401, headers, {"error": "not signed in"}
        if state.versions:
            asked = self.headers.get(VERSION_HEADER) or max(state.versions)
            if asked not in state.versions:
                return 400, headers, {"error": f"unknown version; known: {', '.join(sorted(state.versions))}"}
            headers = {**headers, VERSION_HEADER: asked, **state.versions[asked]}
        value, more = self._read(state, path, query)
        if value is None:
            return 404, headers, {"error": "no such thing"}
        return self._validated(state, value, {**headers, **more})

    def _read(self, state: State, path: str, query: dict[str, str]) -> tuple[Any, dict[str, str]]:
        """Return what is at ``/v1/<collection>``, ``…/<id>`` or ``…/<id>/<field>``, and its headers."""
        parts = path.strip("/").split("/")
        with state.lock:
            records = list(state.collections.get(parts[1], ())) if len(parts) > 1 and parts[0] == "v1" else []
        if len(parts) == 2 and parts[1] in state.collections:
            return page_of(state, path, records, query)
        record = next((each for each in records if len(parts) > 2 and str(each["id"]) == parts[2]), None)
        if record is None or len(parts) == 3:
            return record, {}
        return page_of(state, path, list(record.get(parts[3]) or ()), query)

    def _validated(self, state: State, value: Any, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if not state.etags:
            return 200, headers, value
        etag = f'"{hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]}"'
        same = self.headers.get("If-None-Match") == etag
        return 304 if same else 200, {**headers, "ETag": etag}, value

    def _control(self, state: State, body: bytes) -> None:
        if self.command == "POST":
            change_state(state, json.loads(body))
        with state.lock:
            answer = {"seen": [dataclasses.asdict(seen) for seen in state.seen], "collections": state.collections}
        self._send(200, {}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def open_server(state: State, port: int = 0) -> ApiServer:
    """Return the server, listening."""
    return ApiServer(state, port)


@contextmanager
def serving(state: State | None = None) -> Iterator[ApiServer]:
    """Run the server in a thread of this process, so that its state can be changed directly."""
    server = open_server(state or State())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
