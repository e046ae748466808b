"""A server of pages that are files already, so that it costs next to nothing.

    python -m bench.rest_server FOLDER PORT [--delay SECONDS]

``GET /page?page=N`` sends ``N.json``, after the last page an empty one, ``--delay`` seconds later. What arrived when is
written to ``seen`` on exit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
import time
from pathlib import Path

PAGE = 1000
_REQUEST = re.compile(rb"GET /page\?(?:[^ ]*&)?page=(\d+)")


def write_pages(folder: Path, records: int) -> None:
    """Write pages of a thousand nested records of 1.5 KB, the same each time."""
    folder.mkdir()
    chance = random.Random(records)  # noqa: S311 - the same each time
    for number, start in enumerate(range(0, records, PAGE), 1):
        rows = [_record(start + i, chance) for i in range(PAGE)]
        (folder / f"{number}.json").write_text(json.dumps({"data": rows, "total": records, "next": number + 1}))
        (folder / f"{number}.array").write_text(json.dumps(rows))


def _record(number: int, chance: random.Random) -> dict[str, object]:
    lines = [
        {"sku": f"A-{i}", "quantity": i + 1, "price": chance.randrange(10_000) / 100, "title": f"A product, number {i}"}
        for i in range(12)
    ]
    moment = f"2026-03-{1 + number % 28:02d}T10:{number % 60:02d}:00Z"
    return {
        "id": number,
        "number": f"ORD-{number:07d}",
        "status": chance.choice(["open", "paid", "sent"]),
        "email": f"user{chance.randrange(5000)}@example.com",
        "total": chance.randrange(100_000) / 100,
        "currency": "EUR",
        "paid": number % 3 == 0,
        "created_at": moment,
        "updated_at": moment,
        "note": "Please leave it with the neighbours. " * 5,
        "address": {"street": "5 Main Street", "city": "Paris", "zip": "75001", "geo": {"lat": 48.85, "lon": 2.35}},
        "tags": ["a", "b", "c"],
        "lines": lines,
    }


async def _serve(folder: Path, port: int, delay: float) -> None:
    pages = {int(path.stem): path for path in folder.glob("*.json")}
    seen: list[float] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            seen.append(time.monotonic())
            match = _REQUEST.match(head)
            path = pages.get(int(match[1])) if match else None
            body = path.read_bytes() if path else b'{"data": [], "total": 0, "next": null}'
            if delay:
                await asyncio.sleep(delay)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with server:
        await stopped.wait()
    (folder / "seen").write_text(json.dumps(seen))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=0)
    given = parser.parse_args()
    asyncio.run(_serve(given.folder, given.port, given.delay))
