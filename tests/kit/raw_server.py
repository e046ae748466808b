"""A server on loopback that answers with bytes of a test's choice, right or wrong as HTTP, at a pace of its choice."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RawServer:
    """The server.

    Attributes:
        port: where it listens on 127.0.0.1.
        seen: the heads of the requests that came.
        ended: set when the server ends; wait on it instead of sleeping.
    """

    port: int
    seen: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"

    def paths(self) -> list[str]:
        """Return what was asked for, in order of arrival."""
        return [head.split(" ")[1] for head in self.seen]

    def drip(self, client: socket.socket, piece: bytes, every: float = 0.1, times: int = 300) -> None:
        """Send a piece again and again, until the client or the server has enough."""
        for _ in range(times):
            client.sendall(piece)
            if self.ended.wait(every):
                return


Handle = Callable[[RawServer, socket.socket, str, bytes], None]
"""Answers one request, given its head and its body; the connection is closed afterwards."""


def answer(body: Any = (), status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer; a body that isn't bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **(headers or {})}.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("utf-8", "surrogateescape") + content


@contextlib.contextmanager
def raw_server(handle: Handle) -> Iterator[RawServer]:
    """Run a server until the block ends."""

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            got = b""
            while b"\r\n\r\n" not in got:
                piece = client.recv(65536)
                if not piece:
                    return
                got += piece
            head, _, body = got.partition(b"\r\n\r\n")
            text = head.decode("latin-1")
            lengths = [line.split(":")[1] for line in text.lower().split("\r\n") if line.startswith("content-length:")]
            while lengths and len(body) < int(lengths[0]):
                body += client.recv(65536)
            server.seen.append(text)
            handle(server, client, text, body)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        server = RawServer(listening.getsockname()[1])
        threading.Thread(target=accept, daemon=True).start()
        yield server
        server.ended.set()
        listening.shutdown(socket.SHUT_RDWR)
