"""A TCP proxy on loopback that counts what passes, and can be closed: a server that nobody can reach."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from leat.demo.servers.process import free_port

HTTP = rb"(?m)^[A-Z]{3,20} \S+ HTTP/1\.[01]\r$"
"""An HTTP request (RFC 9112, section 3)."""
POSTGRES = rb"SCRAM-SHA-256"
"""A client of Postgres begins to sign in (protocol 3, SASLInitialResponse)."""


class Proxy:
    """Forwards connections from ``port`` to another port.

    Args:
        target: the port to forward to.
        request: pattern of what is counted in what clients send.
    """

    def __init__(self, target: int, request: bytes) -> None:
        self.port = free_port()
        self.seen = 0
        self._target = target
        self._request = re.compile(request)
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Accept connections."""
        self._run(self._open())

    def close(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._run(self._close())

    def end(self) -> None:
        """Close for good."""
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, task: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(10)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            client.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with contextlib.suppress(OSError):
            there, here = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(self._pump(reader, here, True), self._pump(there, writer, False))
        self._clients.discard(writer)
        writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                if count:
                    self.seen += len(self._request.findall(piece))
                writer.write(piece)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def proxied(target: int, request: bytes) -> Iterator[Proxy]:
    """Run a proxy in front of a port."""
    proxy = Proxy(target, request)
    proxy.open()
    try:
        yield proxy
    finally:
        proxy.end()
