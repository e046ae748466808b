"""Messages made by hand, and the rows that come of them, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from leat.sources.batch import Batch
from leat.sources.email.rows import Fetched, Read, read_message
from leat.sources.email.streams import STREAMS

KEY = {"account": "a", "mailbox": "INBOX", "uidvalidity": 1, "uid": 1}


def read(raw: bytes, complete: bool = True) -> Read:
    """Read a message; every row fits its stream."""
    message = read_message(Fetched(KEY, raw, len(raw), datetime(2026, 3, 10, tzinfo=UTC), complete))
    batches = {stream.name: Batch(stream) for stream in STREAMS}
    for stream, row in message.rows:
        assert list(batches[stream].add(row)) == []
    for batch in batches.values():
        list(batch.flush())
    return message


def rows(raw: bytes, stream: str, complete: bool = True) -> list[dict[str, Any]]:
    return [row for name, row in read(raw, complete).rows if name == stream]


def message(raw: bytes, complete: bool = True) -> dict[str, Any]:
    return rows(raw, "messages", complete)[0]


def with_head(*lines: str, body: bytes = b"Hello") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def multipart(*parts: bytes, kind: str = "mixed", mark: str = "b", head: str = "Subject: s\r\n") -> bytes:
    written = f"{head}MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary={mark}\r\n\r\n".encode()
    edge = f"--{mark}".encode()
    return written + b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"


def part(*lines: str, body: bytes = b"content") -> bytes:
    return with_head(*lines, body=body)


def report(status: bytes, *more: bytes, kind: str = "message/delivery-status") -> bytes:
    """Return a message that came back, with its report."""
    return multipart(
        part("Content-Type: text/plain", body=b"It came back"),
        part(f"Content-Type: {kind}", body=status),
        *more,
        kind="report; report-type=delivery-status",
    )


def bounces(status: bytes, *more: bytes, kind: str = "message/delivery-status") -> Iterator[dict[str, Any]]:
    yield from rows(report(status, *more, kind=kind), "bounces")
