"""What an HTTP status, or the absence of an answer, means: one of :mod:`leat.sources.errors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    Outdated,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.http.headers import LONGEST_WAIT, quota_of, retry_after
from leat.tls import TOO_OLD, UPDATE, is_too_old

if TYPE_CHECKING:
    from urllib3.exceptions import NewConnectionError


_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE")
"""What OpenSSL calls a first answer that isn't TLS."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the user can do about a failure, in the words of one integration.

    ``detail`` gives what the body of an error adds to its status, with a blank before it; it is shown and logged, so it
    must not give anything personal.
    """

    unauthenticated: str = "check the credentials in connection"
    forbidden: str = "give the account the right to read this"
    not_found: str = "check connection.url"
    rejected: str = "check connection.url and what is asked for"
    shape: str = "check that connection.url is the address of the API, not of a web page"
    detail: Callable[[bytes], str] = field(default=lambda _body: "")


def error_of(
    integration: str, asked: str, status: int, headers: Mapping[str, str], body: bytes, advice: Advice
) -> IntegrationError:
    """Return the error for an HTTP status."""
    got = f"HTTP {status}{advice.detail(body)}"
    if status == 429 or (status in (403, 503) and _asks_to_wait(headers)):
        return RateLimited(integration, asked, got, "wait; the next run goes on from here", _wait(headers))
    if status == 401:
        return Unauthenticated(integration, asked, got, advice.unauthenticated)
    if status == 403:
        return Forbidden(integration, asked, got, advice.forbidden)
    if status in (404, 410):
        return NotFound(integration, asked, got, advice.not_found)
    if status == 408:
        return TimedOut(integration, asked, got, "try later")
    if status >= 500:
        return Unavailable(integration, asked, got, "try later; if it stays, look at the server's log")
    if status == 412:
        return Outdated(integration, asked, got, "plan it again: somebody changed it meanwhile")
    return Rejected(integration, asked, got, advice.rejected)


def _asks_to_wait(headers: Mapping[str, str]) -> bool:
    """Return whether a refusal is one of too many requests: some vendors send 403 or 503 for it, and say so."""
    return "Retry-After" in headers or quota_of(headers, datetime.now(UTC)).remaining == 0


def _wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: ``Retry-After``, or else until the server's next window begins."""
    now = datetime.now(UTC)
    wanted = retry_after(headers.get("Retry-After"), now)
    quota = quota_of(headers, now)
    if wanted is None and quota.reset_at is not None and quota.remaining in (0, None):
        return min(max(0.0, (quota.reset_at - now).total_seconds()), LONGEST_WAIT)
    return wanted


def lost(integration: str, asked: str, error: Exception, timeout: float, advice: Advice) -> IntegrationError:
    """Return the error for a request that got no whole answer, from what requests or urllib3 raised."""
    failure = _failure(integration, asked, error, timeout, advice)
    failure.reached = not (_never_connected(error) or isinstance(failure, Rejected))  # rejected before TLS was there
    return failure


def _never_connected(error: Exception) -> bool:
    """Return whether there was no connection yet, so that nothing can have been sent."""
    import urllib3
    from requests import exceptions as errors

    reason = getattr(error.args[0], "reason", None) if error.args else None
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return isinstance(error, (errors.ConnectTimeout, errors.InvalidURL, *never)) or isinstance(reason, never)


def _failure(integration: str, asked: str, error: Exception, timeout: float, advice: Advice) -> IntegrationError:
    import urllib3
    from requests import exceptions as errors

    below = urllib3.exceptions
    if isinstance(error, errors.Timeout | below.TimeoutError) or "ReadTimeoutError" in repr(error.args[:1]):
        return TimedOut(integration, asked, f"no answer in {timeout:g} s", "try later, or raise connection.timeout")
    if isinstance(error, errors.SSLError | below.SSLError):
        return _without_tls(integration, asked, error)
    if isinstance(error, errors.ContentDecodingError | below.DecodeError):
        return UnexpectedShape(integration, asked, "a body that can't be decompressed", advice.shape)
    if isinstance(error, errors.InvalidURL | errors.InvalidSchema | errors.InvalidHeader):
        return NotConfigured(integration, asked, "the URL can't be used", "write connection.url as https://host/path")
    if _is_malformed(error):
        got = "an answer that is no HTTP, or whose headers don't end"
        return UnexpectedShape(integration, asked, got, advice.shape)
    if isinstance(error, below.IncompleteRead) or (
        isinstance(error, below.ProtocolError) and isinstance(error.args[-1], below.IncompleteRead)
    ):
        return Unavailable(integration, asked, "an answer that ended too early", "try later; look at its network")
    dialled = _dialled(error)
    if dialled is not None:
        return Unavailable(integration, asked, *_no_connection(dialled))
    return Unavailable(integration, asked, "the connection was cut", "look at the server's log or at the network")


def _dialled(error: BaseException) -> NewConnectionError | None:
    """Return the failure to connect, if that is what happened."""
    import urllib3

    reason = getattr(error.args[0], "reason", None) if error.args else None
    failures = (each for each in (error, reason) if isinstance(each, urllib3.exceptions.NewConnectionError))
    return next(failures, None)


def _no_connection(error: NewConnectionError) -> tuple[str, str]:
    """Return why there was no connection, and what to do about it."""
    import urllib3

    host, port = error.conn.host, error.conn.port
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return f"no host has the name {host}", "correct connection.url or look at the network"
    if isinstance(error.__cause__, ConnectionRefusedError):
        return f"{host}:{port} refuses connections", "start the server, or correct the port in connection.url"
    return f"no connection to {host}:{port}", "start the server or look at its network"


def _without_tls(integration: str, asked: str, error: Exception) -> IntegrationError:
    """Return the error for a failure of TLS: of the handshake, before anything was sent, or later."""
    import ssl

    within: BaseException | None = error
    while within is not None:
        if isinstance(within, ssl.SSLCertVerificationError):
            why = f": {within.verify_message}" if within.verify_message else ""
            got = f"the server's certificate isn't valid{why}"
            return Rejected(integration, asked, got, "fix the certificate; leat never ignores it")
        if isinstance(within, ssl.SSLError) and is_too_old(within):
            return Rejected(integration, asked, TOO_OLD, UPDATE)
        if isinstance(within, ssl.SSLError) and within.reason in _NO_TLS:
            step = "correct the port, or write http:// in connection.url"
            return Rejected(integration, asked, "the server doesn't speak TLS on this port", step)
        inner = next((part for part in within.args if isinstance(part, BaseException)), None)
        within = inner or getattr(within, "reason", None) or within.__cause__
        within = within if isinstance(within, BaseException) else None
    return Unavailable(integration, asked, "the TLS connection failed", "look at the TLS settings of the server")


def _is_malformed(error: BaseException | None) -> bool:
    """Return whether what came can't be read as HTTP: too many or too long headers, or odd ones."""
    import http.client

    while error is not None:
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        if isinstance(error, http.client.LineTooLong) or type(error).__name__ == "HeadTooLong":
            return True
        if type(error) in (http.client.HTTPException, ValueError, UnicodeDecodeError, LookupError):
            return True
        error = inner or getattr(error, "reason", None) or error.__cause__
    return False
