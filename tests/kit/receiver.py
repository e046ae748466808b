"""An endpoint for webhooks that leat sends: a server on loopback that verifies them and answers as a test wants."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass
class Receiver:
    """An endpoint.

    Attributes:
        url: its address.
        got: the ids and bodies that came, verified.
        status: what it answers.
        headers: of its answers.
        body: of its answers.
    """

    url: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what came since it was last asked."""
        taken = list(self.got)
        self.got.clear()
        return taken


def new_secret(text: str) -> str:
    """Return a secret of 32 bytes made of four letters."""
    return f"whsec_{base64.b64encode(text.encode() * 8).decode()}"


@contextlib.contextmanager
def receiving(*secrets: str) -> Iterator[Receiver]:
    """Start an endpoint that verifies a signature of each secret; it ends with the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for each in secrets:
                Webhook(each).verify(body, dict(self.headers.items()))
            receiver.got.append((self.headers["webhook-id"], json.loads(body)))
            answer = receiver.body.encode()
            with contextlib.suppress(OSError):
                self.send_response(receiver.status)
                for name, value in {**receiver.headers, "Content-Length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()
