"""What an HTTP status, or the absence of an answer, means: one of :mod:`sources.errors`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What the user can do about a failure, in the words of one integration."""

    unauthenticated: str = "check the credentials in connection"
    forbidden: str = "give the account the right to read this"
    not_found: str = "check connection.url"
    rejected: str = "check connection.url and what is asked for"
    shape: str = "check that connection.url is the address of the API, not of a web page"


def error_of(
    integration: str, asked: str, status: int, headers: Mapping[str, str], _body: bytes, advice: Advice
) -> IntegrationError:
    """Return the error that an HTTP status stands for."""
    got = f"HTTP {status}"
    if status == 401:
        return Unauthenticated(integration, asked, got, advice.unauthenticated)
    if status == 403:
        return Forbidden(integration, asked, got, advice.forbidden)
    if status in (404, 410):
        return NotFound(integration, asked, got, advice.not_found)
    if status == 408:
        return TimedOut(integration, asked, got, "try later")
    if status == 429:
        wait = retry_after(headers.get("Retry-After"))
        return RateLimited(integration, asked, got, "wait; the next run goes on from here", wait)
    if status >= 500:
        return Unavailable(integration, asked, got, "try later; if it stays, look at the server's log")
    return Rejected(integration, asked, got, advice.rejected)


def retry_after(header: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as a number or a date (RFC 9110, 10.2.3)."""
    if header and header.strip().isdigit():
        return float(header)
    if header:
        with contextlib.suppress(ValueError):
            return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    return None


def lost(integration: str, asked: str, error: Exception, timeout: float, advice: Advice) -> IntegrationError:
    """Return the error for a request that got no answer, from what :mod:`requests` raised."""
    from requests import exceptions as errors

    if isinstance(error, errors.Timeout) or "ReadTimeoutError" in repr(error.args[:1]):
        return TimedOut(integration, asked, f"no answer in {timeout:g} s", "try later, or raise connection.timeout")
    if isinstance(error, errors.SSLError):
        return Rejected(
            integration, asked, "the server's certificate isn't valid", "mend the certificate; it is never ignored"
        )
    if isinstance(error, errors.ContentDecodingError):
        return UnexpectedShape(integration, asked, "a body that can't be decompressed", advice.shape)
    if isinstance(error, errors.InvalidURL | errors.InvalidSchema | errors.InvalidHeader):
        return NotConfigured(integration, asked, "the URL can't be used", "write connection.url as https://host/path")
    return Unavailable(integration, asked, "no connection, or it was cut", "start the server or look at its network")
