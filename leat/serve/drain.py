"""Draining: after SIGTERM the server answers for a declared time, while `/readyz` sends the proxy elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from leat.serve.front import Front
from leat.serve.health import Health

log = logging.getLogger("leat.serve")


@dataclass(slots=True)
class Drain:
    """What happens between a signal and the end.

    Args:
        health: answers `/readyz`.
        front: closes connections.
        seconds: how long the server goes on.
    """

    health: Health
    front: Front
    seconds: float

    def begin(self, end: Callable[[], None]) -> bool:
        """Return whether draining begins now; ``end`` is called when it is over. A second time it doesn't begin."""
        if not self.seconds or self.health.draining:
            return False
        self.health.draining = self.front.draining = True
        log.info("draining for %.0f s", self.seconds)
        asyncio.get_running_loop().call_later(self.seconds, end)
        return True
