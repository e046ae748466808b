"""How often something that failed for the moment is tried again, and how long to wait before each attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits between attempts.

    Attributes:
        waits: seconds before each retry, so that there is one attempt more.
        longest: seconds that are waited at most when the other side asks for a wait; beyond that nobody waits.
        jitter: whether up to half of a wait is left out at random, which spreads those who wait for the same.
    """

    waits: tuple[float, ...]
    longest: float
    jitter: bool = True

    def wait(self, attempt: int, asked: float | None = None) -> float | None:
        """Return the seconds to wait before the next attempt; None when there is to be none.

        Args:
            attempt: the number of the attempt that failed; 1 for the first.
            asked: seconds that the other side asked to wait, if it did.
        """
        if attempt > len(self.waits) or (asked is not None and asked > self.longest):
            return None
        if asked is not None:
            return asked
        return self.waits[attempt - 1] * (random.uniform(0.5, 1) if self.jitter else 1)  # noqa: S311


def doubling(first: float, attempts: int) -> tuple[float, ...]:
    """Return the waits between some attempts: the first, and each one twice as long as the one before."""
    return tuple(first * 2**number for number in range(attempts - 1))
