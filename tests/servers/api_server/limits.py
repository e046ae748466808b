"""The server's own limit of requests, and the ways in which servers report it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.servers.api_server.state import Rate, State


def count_request(state: State) -> tuple[bool, dict[str, str]]:
    """Count a request; returns whether it is within the limit, and the headers that say what is left."""
    rate = state.rate
    if rate is None:
        return True, {}
    with state.lock:
        now = time.time()
        window = now - now % rate.window
        state.counted = [at for at in state.counted if at >= window]
        allowed = len(state.counted) < rate.limit
        if allowed:
            state.counted.append(now)
        left = rate.limit - len(state.counted)
    wait = window + rate.window - now
    headers = _headers(rate, left, wait, now)
    if not allowed:
        headers |= _retry_after(rate, wait)
    return allowed, headers


def _headers(rate: Rate, left: int, wait: float, now: float) -> dict[str, str]:
    if rate.headers == "x":
        reset = str(round(now + wait + 0.5))
        return {"X-RateLimit-Limit": str(rate.limit), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": reset}
    if rate.headers == "draft":
        reset = str(int(wait) + 1)
        return {"RateLimit-Limit": str(rate.limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": reset}
    if rate.headers == "structured":
        policy = f'"window";q={rate.limit};w={max(1, int(rate.window))}'
        return {"RateLimit-Policy": policy, "RateLimit": f'"window";r={left};t={int(wait) + 1}'}
    return {}


def _retry_after(rate: Rate, wait: float) -> dict[str, str]:
    if rate.retry_after == "seconds":
        return {"Retry-After": str(int(wait) + 1)}
    if rate.retry_after == "date":
        at = datetime.now(UTC) + timedelta(seconds=wait + 1)
        return {"Retry-After": format_datetime(at, usegmt=True)}
    return {}
