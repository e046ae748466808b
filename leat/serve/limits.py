"""How often somebody may ask: a bucket of requests for each caller, and one of failures for each address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST = 10_000
"""So many callers are remembered; then all are forgotten, which gives each a full bucket."""


@dataclass(slots=True)
class Buckets:
    """Buckets that fill up again with time.

    Attributes:
        per_second: requests of one caller that are answered in the long run.
        burst: requests at once.
        failures: requests without a valid token from one address, within a minute.
        clock: seconds.
    """

    per_second: float = 1000
    burst: float = 2000
    failures: float = 20
    clock: Callable[[], float] = time.monotonic
    _callers: dict[str, tuple[float, float]] = field(default_factory=dict)
    _addresses: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, caller: str) -> int:
        """Return 0 if a caller may ask now, else in how many seconds."""
        left = self._left(self._callers, caller, self.burst, self.per_second)
        if left < 1:
            return math.ceil((1 - left) / self.per_second)
        self._callers[caller] = left - 1, self.clock()
        return 0

    def may_sign_in(self, address: str) -> bool:
        """Return whether an address hasn't failed too often."""
        return self._left(self._addresses, address, self.failures, self.failures / 60) >= 1

    def failed(self, address: str) -> None:
        """Count a failure."""
        left = self._left(self._addresses, address, self.failures, self.failures / 60)
        self._addresses[address] = left - 1, self.clock()

    def _left(self, buckets: dict[str, tuple[float, float]], name: str, size: float, rate: float) -> float:
        if len(buckets) > _MOST:
            buckets.clear()
        left, at = buckets.get(name, (size, self.clock()))
        return min(size, left + (self.clock() - at) * rate)
