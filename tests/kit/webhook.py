"""A webhook receiver: a server on loopback that stores what it is sent and answers as a test wants."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What came, in order.

    Attributes:
        port: where it listens on 127.0.0.1.
        got: the JSON objects that came, each with its ``Idempotency-Key`` as ``key``.
        status: what it answers.
        before_answer: called when a message is there and not answered yet.
    """

    port: int = 0
    got: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    before_answer: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"

    def take(self) -> list[dict[str, Any]]:
        """Return what came since it was last asked."""
        taken = list(self.got)
        self.got.clear()
        return taken


@contextlib.contextmanager
def webhook() -> Iterator[Webhook]:
    """Start a receiver; it ends with the block."""
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.got.append({**value, "key": self.headers["Idempotency-Key"]})
            if hook.before_answer is not None:
                hook.before_answer()
            with contextlib.suppress(OSError):  # whoever sent it may be gone
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
