"""The FAKE of :mod:`leat.demo.stripe.fake` as an HTTP server on loopback, alone or in front of a localstripe.

The key that it accepts is in ``DIR/key``::

    python -m leat.demo.stripe.front --folder DIR --port N [--behind URL]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from leat.demo.servers.process import Process, free_port, start
from leat.demo.stripe.fake import Fake
from leat.demo.stripe.replies import Call, query
from leat.files import atomic_write


def start_stripe_front(folder: Path, key: str, behind: str | None, port: int | None = None) -> Process:
    """Start the fake as a process and wait until it listens.

    Args:
        folder: where it stores what was put into it.
        key: the secret key that it accepts.
        behind: address of a localstripe; None for none.
        port: TCP port on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or free_port()
    atomic_write(folder / "key", key)
    argv = [sys.executable, "-m", "leat.demo.stripe.front", "--folder", str(folder), "--port", str(port)]
    argv += ["--behind", behind] if behind else []
    return start("stripe_front", argv, folder, port)


def make_server(fake: Fake, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of a fake on 127.0.0.1, bound and not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = fake.answer(Call(self.command, parts.path, query(parts.query), body, dict(self.headers)))
            sent = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Stripe-Version", self.headers.get("Stripe-Version") or "2025-02-24.acacia")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


@contextlib.contextmanager
def serving(fake: Fake) -> Iterator[str]:
    """Serve a fake from a thread of this process; gives its address."""
    server = make_server(fake)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--behind")
    asked = parser.parse_args()
    make_server(
        Fake((asked.folder / "key").read_text(encoding="utf-8"), asked.behind, asked.folder), asked.port
    ).serve_forever()


if __name__ == "__main__":
    _main()
