"""Distinguish a Postgres that refuses a login from one that can't be reached: libpq gives a text for both, no SQLSTATE.

The server is asked once more, without a password: it answers to the first message of a client either with an error
that has an SQLSTATE, or by asking for a proof, and then it was the proof that it refused
(PostgreSQL documentation, Frontend/Backend Protocol, Start-up).
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_PROTOCOL_3 = 196_608
_TIMEOUT = 10.0
_INVALID_AUTHORIZATION = "28"  # class of SQLSTATEs


def refuses(url: URL) -> bool:
    """Return whether the server that could not be connected to answers, and it is the account that it refuses."""
    parameters = {"user": url.username or "", "database": url.database or ""}
    body = struct.pack("!I", _PROTOCOL_3)
    body += b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    try:
        with socket.create_connection((url.host or "localhost", url.port or 5432), _TIMEOUT) as server:
            server.sendall(struct.pack("!I", len(body) + 4) + body)
            return _is_refusal(server.makefile("rb").read1(4096))
    except OSError:
        return False


def _is_refusal(answer: bytes) -> bool:
    kind, rest = answer[:1], answer[5:]
    if kind == b"R":
        return rest[:4] != struct.pack("!I", 0)  # 0: it lets this account in without a proof
    codes = [field[1:] for field in rest.split(b"\0") if field[:1] == b"C"]
    return kind == b"E" and codes[:1] != [] and codes[0].decode().startswith(_INVALID_AUTHORIZATION)
