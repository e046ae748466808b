"""A REST API for tests that knows idempotency keys, ETags and conditions. It is a fake, and fails as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote


@dataclass
class RestDesk:
    """The state of the API.

    Attributes:
        made: what was made by POST, first to last, with what the request had.
        things: the value of each thing, and how often it was set.
        answers: the answer to each idempotency key.
        faults: what happens to the next requests that change something: ``cut`` does it and cuts the connection,
            ``lost`` only cuts it, a number is a status that is answered without doing anything.
        requests: method and path of each request, as sent, and its headers.
    """

    made: list[dict[str, Any]] = field(default_factory=list)
    things: dict[str, tuple[Any, int]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    desk: RestDesk

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._note()
        kind, _, name = self.path.strip("/").partition("/")
        if kind != "things" or unquote(name) not in self.desk.things:
            self._answer(404, {})
            return
        value, times = self.desk.things[unquote(name)]
        self._answer(200, value, {"ETag": f'"{times}"'})

    def do_POST(self) -> None:
        self._change(self._make)

    def do_PUT(self) -> None:
        self._change(self._set)

    def do_DELETE(self) -> None:
        self._change(self._delete)

    def _note(self) -> None:
        self.desk.requests.append((self.command, self.path, dict(self.headers)))

    def _change(self, change: Any) -> None:
        self._note()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.desk.faults.pop(0) if self.desk.faults else ""
        if fault.isdigit():
            self._answer(int(fault), {}, {"Location": "/elsewhere"})
        elif fault == "lost":
            self._cut()
        else:
            with self.desk.lock:
                status, answer = change(body)
            self._cut() if fault == "cut" else self._answer(status, answer)

    def _make(self, body: bytes) -> tuple[int, Any]:
        is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        sent = parse_qs(body.decode()) if is_form else json.loads(body)
        key = self.headers.get("Idempotency-Key")
        if key in self.desk.answers:
            return 201, self.desk.answers[key]
        self.desk.made.append(sent)
        answer = {"data": {"id": len(self.desk.made), **sent}}
        if key is not None:
            self.desk.answers[key] = answer
        return 201, answer

    def _is_current(self, name: str) -> bool:
        wanted = self.headers.get("If-Match")
        return wanted is None or wanted == f'"{self.desk.things.get(name, (None, -1))[1]}"'

    def _set(self, body: bytes) -> tuple[int, Any]:
        name = unquote(self.path.rpartition("/")[2])
        if not self._is_current(name):
            return 412, {}
        value = json.loads(body)
        self.desk.things[name] = (value, self.desk.things.get(name, (None, 0))[1] + 1)
        return 200, value

    def _delete(self, _body: bytes) -> tuple[int, Any]:
        name = unquote(self.path.rpartition("/")[2])
        if not self._is_current(name):
            return 412, {}
        self.desk.things.pop(name, None)
        return 204, None

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def rest_desk() -> Iterator[RestDesk]:
    """Run the API."""
    desk = RestDesk()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"desk": desk}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    desk.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield desk
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
