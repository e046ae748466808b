"""A small TCP proxy on loopback that cuts its connections after so many bytes, or holds back a request or an answer."""

from __future__ import annotations

import contextlib
import re
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
        holds: what the next request begins with that is held back, or its answer; None for none.
        unsent: whether it is the request.
        held: something is being held back: the request, or the answer to a request that the server has executed.
    """

    port: int
    to: int
    left: int | None = None
    holds: re.Pattern[bytes] | None = None
    unsent: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                silent = threading.Event()
                for source, target, counted in ((client, server, True), (server, client, False)):
                    args = (source, target, counted, silent)
                    threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counted: bool, silent: threading.Event) -> None:
        """Pass on what a socket gives; once a connection is ``silent``, nothing comes back on it."""
        unsent = False
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if counted and not silent.is_set() and self.holds is not None and self.holds.match(data):
                    self.holds, unsent = None, self.unsent
                    silent.set()
                if silent.is_set() and (unsent or not counted):
                    self.held.set()
                    continue
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
