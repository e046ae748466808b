"""How long a request waits: for its turn before it is sent, and before it is tried again."""

from __future__ import annotations

import time

from leat.sources.errors import RateLimited, Transient, Unavailable
from leat.sources.http.exchange import Wire
from leat.sources.http.request import HttpRequest, Limits
from leat.sources.retry import RetryPolicy, doubling

LONGEST_WAIT = 60.0
"""Seconds; when it would take longer, the run ends and the next one goes on."""


def wait_for_turn(wire: Wire, asked: str, deadline: float) -> None:
    """Wait until the budget of the credential allows one more request.

    Raises:
        RateLimited: that takes longer than a run should wait.
    """
    patience = max(0.0, min(LONGEST_WAIT, deadline - time.monotonic()))
    turn = wire.budget.take(patience)
    if turn.wait > patience:
        got = f"not sent: {turn.because}; the next request may be sent in {turn.wait:.0f} s"
        raise RateLimited(wire.integration, asked, got, "wait; the next run goes on from here", turn.wait)
    if turn.wait > 0:
        time.sleep(turn.wait)


def wait_before_next(limits: Limits, ask: HttpRequest, error: Transient, attempt: int, answered: bool) -> float | None:
    """Return the seconds to wait before the next attempt; None when there is to be none.

    A server that was never reached in this run isn't asked again: it is down, and the next run tries.
    """
    may_repeat = ask.may_repeat() or isinstance(error, RateLimited)  # then nothing was done, whatever the method
    if not may_repeat or (isinstance(error, Unavailable) and not answered):
        return None
    policy = RetryPolicy(doubling(0.5, limits.attempts), LONGEST_WAIT)
    return policy.wait(attempt, error.retry_after if isinstance(error, RateLimited) else None)
