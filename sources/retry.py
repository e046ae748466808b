"""How often something that failed for the moment is tried again, and how long to wait before each attempt."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits between attempts.

    Attributes:
        waits: seconds before each retry, so there is one attempt more than waits.
        longest: seconds that are waited at most when the other side asks for a wait; beyond that nobody waits.
        jitter: whether up to half of a wait is left out at random, which spreads those who wait for the same.
        endless: whether there is always another attempt, after the last of the waits.
    """

    waits: tuple[float, ...]
    longest: float
    jitter: bool = True
    endless: bool = False

    def wait(self, attempt: int, asked: float | None = None) -> float | None:
        """Return the seconds to wait before the next attempt; None when there is to be none.

        Args:
            attempt: the number of the attempt that failed; 1 for the first.
            asked: seconds that the other side asked to wait, if it did.
        """
        if self.endless:
            attempt = min(attempt, len(self.waits))
        if attempt > len(self.waits) or (asked is not None and asked > self.longest):
            return None
        if asked is not None:
            return asked
        return self.waits[attempt - 1] * (random.uniform(0.5, 1) if self.jitter else 1)  # noqa: S311  # nosec B311


def doubling(first: float, attempts: int, most: float = math.inf) -> tuple[float, ...]:
    """Return the waits between some attempts: each one twice as long as the one before, up to ``most``."""
    return tuple(min(first * 2**number, most) for number in range(attempts - 1))
