"""A small TCP proxy on loopback that cuts its connections after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Passes bytes on to a port.

    Attributes:
        port: where it listens on 127.0.0.1.
        to: where it passes bytes on to.
        left: how many bytes of clients it still passes on; None for any number. At 0 it resets all connections.
    """

    port: int
    to: int
    left: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                for source, target, counted in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=(source, target, counted), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                with self._lock:
                    if counted and self.left is not None:
                        self.left = max(0, self.left - len(data))
                    cut = self.left == 0
                if cut:
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                end.close()


@contextlib.contextmanager
def proxy(to: int) -> Iterator[Proxy]:
    """Run a proxy to a port of 127.0.0.1 until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Proxy(listening.getsockname()[1], to)
        threading.Thread(target=running.serve, args=(listening,), daemon=True).start()
        yield running
        listening.shutdown(socket.SHUT_RDWR)
