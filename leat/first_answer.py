"""What a Postgres answers to the first message of a client: libpq has a text of why connecting failed, no SQLSTATE.

The server is asked once more, without a password: it answers either with an error that has an SQLSTATE, or by asking
for a proof. While it is starting it says so before anything else, also to a client without TLS
(PostgreSQL documentation, Frontend/Backend Protocol, Start-up).
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PROOF_WANTED = "proof"
_PROTOCOL_3 = 196_608
_TIMEOUT = 10.0
_PORT = 5432


def read_first_answer(url: URL) -> str:
    """Return the SQLSTATE of what a server answers, ``proof`` if it asks for one, nothing if it lets everybody in.

    Raises:
        OSError: there is no server, or it says nothing.
    """
    parameters = {"user": url.username or "", "database": url.database or ""}
    body = struct.pack("!I", _PROTOCOL_3)
    body += b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    with _connected(url) as server:
        server.sendall(struct.pack("!I", len(body) + 4) + body)
        answer = server.makefile("rb").read1(4096)
    kind, rest = answer[:1], answer[5:]
    if kind == b"R":
        return "" if rest[:4] == struct.pack("!I", 0) else PROOF_WANTED
    codes = [field[1:].decode() for field in rest.split(b"\0") if field[:1] == b"C"]
    if kind != b"E" or not codes:
        msg = "no answer of a Postgres"
        raise ConnectionError(msg)
    return codes[0]


def _connected(url: URL) -> socket.socket:
    given = url.query.get("host", url.host or "localhost")
    host = (given if isinstance(given, str) else given[0]).split(",")[0]
    if not host.startswith("/"):
        return socket.create_connection((host, url.port or _PORT), _TIMEOUT)
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(_TIMEOUT)
    server.connect(f"{host}/.s.PGSQL.{url.port or _PORT}")
    return server
