"""Every way in which an HTTP server fails, on purpose."""

from __future__ import annotations

import contextlib
import gzip
import time
from http.server import BaseHTTPRequestHandler

from tests.servers.api_server.state import Fault, State

_STUCK = 30.0


def due_fault(state: State, path: str) -> Fault | None:
    """Return the fault that this request meets, and count it."""
    with state.lock:
        for fault in state.faults:
            if path.startswith(fault.path) and fault.times != 0:
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.times -= 1
                return fault
    return None


def fail(handler: BaseHTTPRequestHandler, fault: Fault, body: bytes) -> int:
    """Answer with a fault in place of a body; returns the status that was sent, 0 for none."""
    handler.close_connection = True
    with contextlib.suppress(OSError):  # the client has given up
        return _FAULTS[fault.kind](handler, fault, body)
    return 0


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> int:
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    return status


def _status(handler: BaseHTTPRequestHandler, fault: Fault, _body: bytes) -> int:
    return _send(handler, fault.status, fault.headers, fault.body.encode())


def _text(handler: BaseHTTPRequestHandler, fault: Fault, _body: bytes) -> int:
    return _send(handler, 200, fault.headers, fault.body.encode("utf-8", "surrogatepass"))


def _html(handler: BaseHTTPRequestHandler, _fault: Fault, _body: bytes) -> int:
    return _send(handler, 200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>")


def _truncated(handler: BaseHTTPRequestHandler, _fault: Fault, body: bytes) -> int:
    return _send(handler, 200, {}, body[: len(body) // 2])


def _short(handler: BaseHTTPRequestHandler, _fault: Fault, body: bytes) -> int:
    return _send(handler, 200, {"Content-Length": str(len(body) + 100)}, body)


def _bad_gzip(handler: BaseHTTPRequestHandler, _fault: Fault, body: bytes) -> int:
    packed = bytearray(gzip.compress(body))
    packed[10:20] = b"\xff" * 10
    return _send(handler, 200, {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}, bytes(packed))


def _cut(handler: BaseHTTPRequestHandler, _fault: Fault, _body: bytes) -> int:
    handler.connection.close()
    return 0


def _hang(handler: BaseHTTPRequestHandler, _fault: Fault, _body: bytes) -> int:
    _until_gone(handler)
    return 0


def _drip(handler: BaseHTTPRequestHandler, _fault: Fault, body: bytes) -> int:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body) + 10_000))
    handler.end_headers()
    began = time.monotonic()
    while time.monotonic() - began < _STUCK:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)
    return 200


def _until_gone(handler: BaseHTTPRequestHandler) -> None:
    """Wait until the client closes the connection."""
    handler.connection.settimeout(_STUCK)
    handler.connection.recv(1)


_FAULTS = {
    "status": _status,
    "redirect": _status,
    "text": _text,
    "html": _html,
    "truncated": _truncated,
    "short": _short,
    "bad_gzip": _bad_gzip,
    "cut": _cut,
    "hang": _hang,
    "drip": _drip,
}
