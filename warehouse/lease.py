"""The right to run an integration: at any moment one process has it, and each that gets it has a higher fence.

A process may be frozen, or cut off, and come back when another one has long taken its place. So what it does counts
only while its fence is the newest, which the transaction that applies a load checks before it writes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


class Fenced(Exception):
    """Another process has taken over; nothing that this one still does counts."""


@dataclass(slots=True)
class Lease:
    """The right to run an integration.

    Attributes:
        name: the integration.
        fence: its number, which only grows; 0 where a lock of one machine is the right, which nobody can take away.
        stalls: seconds without :meth:`work` after which it isn't renewed any longer.
    """

    name: str
    fence: int = 0
    stalls: float = 3600.0
    _lost: threading.Event = field(default_factory=threading.Event)
    _worked: float | None = None

    def work(self) -> None:
        """Note that its holder gets on; one that has begun to note that, and stops, loses the right.

        Raises:
            Fenced: another process has taken over.
        """
        self._worked = time.monotonic()
        if self._lost.is_set():
            raise self.fenced()

    def rest(self) -> None:
        """Note that its holder waits for the warehouse, which sees for itself to what takes too long."""
        self._worked = None

    def is_stalled(self) -> bool:
        """Return whether its holder has not got on for too long."""
        return self._worked is not None and time.monotonic() - self._worked > self.stalls

    def lose(self) -> None:
        """Note that another process has taken over."""
        self._lost.set()

    def fenced(self) -> Fenced:
        """Return the error of whoever has lost it."""
        return Fenced(
            f"{self.name}: another run has taken over, because this one (fence {self.fence}) had not renewed its lease "
            "in time; it applies nothing from now on. Next: nothing, the other run does the work. If it happens often, "
            "find out what stopped this process or cut it off from the warehouse"
        )
