"""A web server whose answers are a function of a test, and a reader of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sources.rest_shop import Reader


@dataclass
class Asked:
    """One request: its query has the last value of each name, ``every`` all of them."""

    method: str
    path: str
    query: dict[str, str]
    every: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    number: int


Reply = tuple[int, Mapping[str, str], Any]


@dataclass
class Answers:
    """The server. ``answer`` gives a JSON value, or a status, headers and a value, or text."""

    url: str = ""
    answer: Callable[[Asked], Any] = lambda _asked: []
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [each.path for each in self.asked]

    def reader(self, folder: Path, endpoints: Mapping[str, Any], **more: Any) -> Reader:
        return Reader(folder, endpoints, self.url, {"in_flight": 1, **more})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    answers: Answers

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        every = parse_qs(parts.query, keep_blank_values=True)
        query = {name: values[-1] for name, values in every.items()}
        made = self.answers
        asked = Asked(self.command, parts.path, query, every, self.headers, _parsed(body), len(made.asked))
        made.asked.append(asked)
        reply = made.answer(asked)
        status, headers, value = reply if isinstance(reply, tuple) else (200, {}, reply)
        content = (
            value.encode()
            if isinstance(value, str)
            else value
            if isinstance(value, bytes)
            else json.dumps(value).encode()
        )
        content = b"" if status in (204, 304) else content
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, text)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_args: object) -> None:
        pass


def _parsed(body: bytes) -> Any:
    """Return a body that is JSON parsed, and any other as text."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode()


@contextmanager
def answering() -> Iterator[Answers]:
    """Run a server for as long as the block lasts."""
    answers = Answers()
    handler = type("Handler", (_Handler,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    answers.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
