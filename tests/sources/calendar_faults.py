"""A server with faults that real servers can't be made to have: it forwards to a real one and answers some itself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

Reply = tuple[int, dict[str, str], bytes]
Fault = Callable[[str, str, str], Reply | None]
"""Given method, path and body: the answer to give, or None to forward the request."""


@dataclass
class Faulty:
    """The server: its address, what it answers itself, and every request it saw, with its Authorization header."""

    url: str
    fault: Fault
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)


@contextlib.contextmanager
def faulty(target: str | None = None) -> Iterator[Faulty]:
    """Run the server in front of a real one."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.seen.append((self.command, self.path, self.headers.get("Authorization")))
            reply = state.fault(self.command, self.path, body.decode()) or self._forward(body)
            status, headers, content = reply
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def _forward(self, body: bytes) -> Reply:
            passed_on = {
                k: v for k, v in self.headers.items() if k.lower() in ("depth", "content-type", "authorization")
            }
            url = f"{str(target).rstrip('/')}{self.path}"
            answer = requests.request(self.command, url, data=body, headers=passed_on, timeout=30)
            return answer.status_code, {"Content-Type": answer.headers.get("Content-Type", "")}, answer.content

        do_PROPFIND = do_REPORT = do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Faulty(f"http://127.0.0.1:{server.server_port}/", lambda *_: None)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
