"""What is remembered of an HTTP request; one row of ``platform.api_calls``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request that was sent, whatever came of it.

    Attributes:
        called_at: when it was sent, UTC.
        host: host and port.
        method: HTTP method.
        path: the path template, for example ``/v1/charges/{id}``; never a query, which may hold personal data.
        status: HTTP status; None when no answer came.
        attempt: 1 for the first try of a request.
        milliseconds: until the whole answer was read.
        received_bytes: size of the body as it was read.
        error: class of the error, for example ``RateLimited``; None when there was none.
        rate_limit: what the server allows in its window (``RateLimit-Limit`` and its older forms).
        rate_remaining: what is left of it.
        rate_reset_at: when the next window begins.
        version_asked: API version that was asked for.
        version_served: API version that the server says it used.
        deprecated_at: from the ``Deprecation`` header (RFC 9745).
        sunset_at: from the ``Sunset`` header (RFC 8594).
    """

    called_at: datetime
    host: str
    method: str
    path: str
    status: int | None
    attempt: int
    milliseconds: float
    received_bytes: int
    error: str | None = None
    rate_limit: int | None = None
    rate_remaining: int | None = None
    rate_reset_at: datetime | None = None
    version_asked: str | None = None
    version_served: str | None = None
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None
