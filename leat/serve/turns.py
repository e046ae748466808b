"""Turns: of several coroutines that want to do the same, one does it, and the others see what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Turns:
    """A lock for each thing that is being done; used on one event loop."""

    _locks: dict[Hashable, tuple[asyncio.Lock, int]] = field(default_factory=dict)

    def is_taken(self, thing: Hashable) -> bool:
        """Return whether somebody does it, or waits for their turn."""
        return thing in self._locks

    @contextlib.asynccontextmanager
    async def take(self, thing: Hashable) -> AsyncIterator[None]:
        """Wait until nobody else does it."""
        lock, users = self._locks.get(thing, (asyncio.Lock(), 0))
        self._locks[thing] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks[thing]
            if users == 1:
                del self._locks[thing]
            else:
                self._locks[thing] = lock, users - 1
