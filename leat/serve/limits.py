"""How often somebody may ask: a bucket of requests for each caller, and one of failures for each address.

Each server has its own buckets, and every second takes out of common ones what was taken out of these, so that nothing
is written for a single request. Then its own hold what the common ones do. In between, a server doesn't hear of the
others: N servers together answer up to N times as much in a second, and less afterwards, until the rate holds.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from leat.pipelines.load.error_message import text_of

log = logging.getLogger("leat.serve")

_MOST = 10_000
"""So many callers are remembered; then all are forgotten, which gives each a full bucket."""
_EVERY = 1.0  # seconds between reports
_SMALL = 100
"""A server doesn't report a caller who took less than this part of a second's rate, or each person who looks at pages
would be a write a second."""

Common = Callable[[float, float, Mapping[str, int]], Mapping[str, float]]
"""Takes numbers out of common buckets of a size and a rate, by name; returns what they hold then."""


@dataclass(slots=True)
class _Kind:
    """Buckets of one size, by name.

    Attributes:
        size: what a full one holds.
        rate: what comes in, in a second.
        small: numbers that aren't reported.
    """

    size: float
    rate: float
    small: float = 0
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict)

    def look(self, name: str, now: float) -> float:
        """Return what a bucket holds."""
        if len(self._left) > _MOST:
            self._left.clear()
            self._taken.clear()
        left, at = self._left.get(name, (self.size, now))
        return min(self.size, left + (now - at) * self.rate)

    def take(self, name: str, left: float, now: float) -> None:
        """Take one out of a bucket that holds so much."""
        self._left[name] = left - 1, now
        self._taken[name] = self._taken.get(name, 0) + 1

    def report(self, common: Common, clock: Callable[[], float]) -> None:
        """Take out of the common buckets what was taken here; what is taken at the same moment may go uncounted."""
        taken, self._taken = self._taken, {}
        reported = {name: number for name, number in taken.items() if number > self.small}
        if reported:
            for name, left in common(self.size, self.rate, reported).items():
                self._left[name] = left - self._taken.get(name, 0), clock()


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
    _callers: _Kind = field(init=False)
    _addresses: _Kind = field(init=False)

    def __post_init__(self) -> None:
        self._callers = _Kind(self.burst, self.per_second, self.per_second / _SMALL)
        self._addresses = _Kind(self.failures, self.failures / 60)

    def take(self, caller: str) -> int:
        """Return 0 if a caller may ask now, else in how many seconds."""
        now = self.clock()
        left = self._callers.look(caller, now)
        if left < 1:
            return math.ceil((1 - left) / self.per_second)
        self._callers.take(caller, left, now)
        return 0

    def may_sign_in(self, address: str) -> bool:
        """Return whether an address hasn't failed too often."""
        return self._addresses.look(address, self.clock()) >= 1

    def failed(self, address: str) -> None:
        """Count a failure."""
        now = self.clock()
        self._addresses.take(address, self._addresses.look(address, now), now)

    def report(self, common: Common) -> None:
        """Take out of the common buckets what was taken here since the last time, and hear what they hold."""
        self._callers.report(common, self.clock)
        self._addresses.report(common, self.clock)


async def share(buckets: Buckets, common: Common) -> None:
    """Report each second, until it is cancelled; while that fails, this server counts for itself."""
    works = True
    while True:
        await asyncio.sleep(_EVERY)
        try:
            await run_in_threadpool(buckets.report, common)
            works = True
        except Exception as error:
            if works:
                log.warning("limits of requests count for this server alone: %s", text_of(error))
            works = False
