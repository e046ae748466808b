"""How busy the web process is: how late its event loop is, and how many of its threads work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter

_EVERY = 1.0


@dataclass(slots=True)
class Saturation:
    """Looks once a second, which costs some microseconds; made on the event loop that it looks at."""

    _late: float = 0.0
    _threads: CapacityLimiter = field(default_factory=current_default_thread_limiter)

    async def watch(self) -> None:
        """Note by how much the loop was late, until it is cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(_EVERY)
            self._late = max(self._late, time.monotonic() - before - _EVERY)

    def measured(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """Return the metrics: their meanings, and what measures them."""
        return {
            "leat_event_loop_late_seconds": (
                "By how much the event loop was late at most since the last scrape.",
                self._take_late,
            ),
            "leat_threads_busy_ratio": (
                "Share of the threads that answer requests which are at work.",
                lambda: self._threads.borrowed_tokens / self._threads.total_tokens,
            ),
        }

    def _take_late(self) -> float:
        late, self._late = self._late, 0.0
        return late
