"""Parts of a page as server-sent events: again whenever something has happened, until nothing follows any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool

_LOOK = 0.25
_ALIVE = 15.0  # seconds between comments, without which proxies close the connection

Look = Callable[[], tuple[object, bool, Callable[[], str]] | None]
"""Returns what changes with the part, whether nothing follows, and what makes its HTML; None if it is gone."""


async def follow(ended: asyncio.Event, look: Look) -> AsyncIterator[bytes]:
    """Yield the events; the last one is called ``done``.

    Args:
        ended: set when the server ends: a connection that never ends would hold up a restart.
        look: called in a thread, several times a second.
    """
    before: object = None
    quiet = 0.0
    while not ended.is_set():
        seen = await run_in_threadpool(look)
        if seen is None:
            return
        version, over, html = seen
        if version != before:
            before, quiet = version, 0.0
            lines = (await run_in_threadpool(html)).splitlines()
            yield "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
        if over:
            yield b"event: done\ndata: done\n\n"
            return
        await asyncio.sleep(_LOOK)
        quiet += _LOOK
        if quiet > _ALIVE:
            quiet = 0.0
            yield b": still running\n\n"
