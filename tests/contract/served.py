"""A server behind a counting proxy, that is ended whatever happens, and can be stopped and started again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from leat.demo.servers.process import Process, stop
from tests.contract.proxy import HTTP, Proxy, proxied


@dataclass
class Served:
    """The server of a world.

    Attributes:
        begin: starts it on a port; on a free one for None.
        process: it.
        proxy: what clients are given the port of.
        patience: seconds that it is given to end by itself.
    """

    begin: Callable[[int | None], Process]
    process: Process
    proxy: Proxy
    patience: float

    @property
    def port(self) -> int:
        """The server's own port, which isn't counted."""
        return self.process.port

    @property
    def url(self) -> str:
        """Address of the proxy, without a slash at its end."""
        return f"http://127.0.0.1:{self.proxy.port}"

    def requests(self) -> int:
        """Return how many requests came."""
        return self.proxy.seen

    def stop(self) -> None:
        """End the server; nobody can connect."""
        stop(self.process.pid, self.patience)
        self.proxy.close()

    def start(self) -> None:
        """Start it again, with what it held, at the same address."""
        self.process = self.begin(self.process.port)
        self.proxy.open()


@contextmanager
def served(begin: Callable[[int | None], Process], request: bytes = HTTP, patience: float = 10) -> Iterator[Served]:
    """Start a server and a proxy before it, and end both."""
    process = begin(None)
    server = None
    try:
        with proxied(process.port, request) as proxy:
            server = Served(begin, process, proxy, patience)
            yield server
    finally:
        stop((server.process if server else process).pid, patience)
