"""A server in front of a Tryton that forwards every request, and lets a test look at it, or change the answer."""

from __future__ import annotations

import contextlib
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests


@dataclass(frozen=True)
class Seen:
    """A request: the model, the domain as JSON text, and which request for that model it is, from 1."""

    model: str
    domain: str
    number: int


@dataclass
class Front:
    """Where it listens, and what is done with requests.

    Attributes:
        url: its address.
        before: called before a request is forwarded.
        after: returns the answer to give for the one that came, as JSON bytes; None cuts the connection.
        refused: the status with which a request is refused; None forwards it.
        seen: every request.
    """

    url: str
    before: Callable[[Seen], None] = lambda _seen: None
    after: Callable[[Seen, bytes], bytes | None] = lambda _seen, body: body
    refused: Callable[[Seen], int | None] = lambda _seen: None
    seen: list[Seen] = field(default_factory=list)

    def clear(self) -> None:
        """Forward everything again."""
        self.before, self.after = lambda _seen: None, lambda _seen, body: body
        self.refused = lambda _seen: None
        self.seen.clear()


@contextlib.contextmanager
def in_front_of(target: str) -> Iterator[Front]:
    """Run it in front of a server."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            parts = urlsplit(self.path)
            model = parts.path.partition("/rest/model/")[2].partition("/")[0]
            domain = parse_qs(parts.query).get("d", [""])[0]
            number = 1 + sum(seen.model == model for seen in front.seen)
            seen = Seen(model, urlsafe_b64decode(domain).decode(), number)
            front.seen.append(seen)
            front.before(seen)
            if status := front.refused(seen):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = True
                return
            passed_on = {
                k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")
            }
            with contextlib.suppress(requests.ConnectionError):
                came = requests.request(self.command, f"{target}{self.path}", data=sent, headers=passed_on, timeout=60)
                content = front.after(seen, came.content) if came.ok else came.content
                if content is not None:
                    self.send_response(came.status_code)
                    for name in ("Content-Type", "Content-Range"):
                        if name in came.headers:
                            self.send_header(name, came.headers[name])
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
            self.close_connection = True

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front = Front(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
