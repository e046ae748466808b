"""A server on loopback that answers POST requests as a function says."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """What a request is answered with."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def post_server(answer: Callable[[str, Mapping[str, str], bytes], Answer]) -> Iterator[str]:
    """Start the server, and give its address; it ends with the block.

    Args:
        answer: is given the path, the headers and the body of a request. What it raises ends the connection.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            given = answer(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[arg-type]
            with contextlib.suppress(OSError):  # who has asked may be gone
                self.send_response(given.status)
                for name, value in {**given.headers, "Content-Length": str(len(given.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
