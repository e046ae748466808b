"""What went wrong with an IMAP server, as one of :mod:`leat.sources.errors`: by kind and response code.

Response codes are those of RFC 5530 and RFC 9051; the text after them is shown, and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from leat.sources.errors import (
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
from leat.sources.settings import redact
from leat.tls import TOO_OLD, UPDATE, is_too_old

_CODE = re.compile(r"\[([A-Z][A-Z0-9-]*)[^\]]*\]")
_SAYS_NO = {
    "NOPERM": (Forbidden, "give the account the right to read this mailbox"),
    "NONEXISTENT": (NotFound, "run again: the mailbox was deleted or renamed meanwhile"),
    "UNAVAILABLE": (Unavailable, "try later; the mail server says that a part of it is down"),
    "INUSE": (Unavailable, "try later; another program locks the mailbox"),
    "SERVERBUG": (Unavailable, "try later; if it stays, look at the mail server's log"),
    "LIMIT": (RateLimited, "wait; the server limits how often it may be asked"),
    "AUTHENTICATIONFAILED": (Unauthenticated, "check username and password; some vendors want an app password"),
    "AUTHORIZATIONFAILED": (Forbidden, "let this account open that mailbox"),
    "EXPIRED": (Unauthenticated, "renew the password: it has expired"),
    "PRIVACYREQUIRED": (NotConfigured, "set security: tls or starttls"),
    "CONTACTADMIN": (Forbidden, "ask whoever runs the mail server"),
}


class OutOfStep(UnexpectedShape):
    """An answer that could not be read to its end, so that nothing more can be asked on the connection."""


@contextmanager
def asking(integration: str, asked: str, timeout: float) -> Iterator[None]:
    """Turn what :mod:`imapclient`, sockets and TLS raise in the block into an IntegrationError.

    Raises:
        IntegrationError: the one that fits.
    """
    from imapclient.exceptions import IMAPClientAbortError, IMAPClientError  # type: ignore[import-untyped]

    try:
        yield
    except IMAPClientAbortError as error:
        raise _aborted(integration, asked, error) from error
    except IMAPClientError as error:
        if isinstance(error.__context__, IMAPClientAbortError):  # it makes a LoginError of any failure to sign in
            raise _aborted(integration, asked, error.__context__) from error.__context__
        raise refused(integration, asked, error) from error
    except OSError as error:
        raise _lost(integration, asked, error, timeout) from error
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError, MemoryError) as error:
        got = f"an answer that can't be read ({type(error).__name__})"
        raise OutOfStep(integration, asked, got, "look at the server's log; another program may work") from error


def said_no(error: IntegrationError) -> bool:
    """Return whether the server answered and refused, so that something else may be asked on the same connection."""
    from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

    cause = error.__cause__
    return isinstance(cause, IMAPClientError) and not isinstance(cause, IMAPClientAbortError)


def is_of_one_answer(error: IntegrationError) -> bool:
    """Return whether only what was asked failed: the server refused it, or gave it in a form that can't be read."""
    return said_no(error) or (isinstance(error, UnexpectedShape) and not isinstance(error, OutOfStep))


def code_of(error: Exception) -> str | None:
    """Return the response code with which the server said no."""
    match = _CODE.search(str(error))
    return match[1] if match else None


def refused(integration: str, asked: str, error: Exception) -> IntegrationError:
    """Return the error for an answer NO or BAD."""
    from imapclient.exceptions import CapabilityError, LoginError, ProtocolError

    got = redact(_words(error))
    if isinstance(error, ProtocolError):
        return UnexpectedShape(integration, asked, got, "check that connection.host is an IMAP server")
    if isinstance(error, CapabilityError):
        return Rejected(integration, asked, got, "choose another value of connection.security")
    code = code_of(error)
    if code in _SAYS_NO:
        kind, next_step = _SAYS_NO[code]
        return kind(integration, asked, got, next_step)
    if isinstance(error, LoginError):
        return Unauthenticated(integration, asked, got, _SAYS_NO["AUTHENTICATIONFAILED"][1])
    return Rejected(integration, asked, got, "look at what the server says, and at its log")


def _aborted(integration: str, asked: str, error: Exception) -> IntegrationError:
    got = redact(_words(error))
    return Unavailable(integration, asked, f"the connection was cut ({got})", "try later, or look at the server's log")


def _lost(integration: str, asked: str, error: OSError, timeout: float) -> IntegrationError:
    import ssl

    if isinstance(error, TimeoutError):
        return TimedOut(integration, asked, f"no answer in {timeout:g} s", "try later, or raise connection.timeout")
    if isinstance(error, ssl.SSLCertVerificationError):
        got = f"the server's certificate isn't valid: {error.verify_message}"
        return Rejected(
            integration, asked, got, "fix the certificate, or name its authority with connection.authorities"
        )
    if isinstance(error, ssl.SSLError) and is_too_old(error):
        return Rejected(integration, asked, TOO_OLD, UPDATE)
    if isinstance(error, ssl.SSLError):
        got = f"no TLS is spoken there ({error.reason or error})"
        return Rejected(integration, asked, got, "check connection.host's port and connection.security")
    return Unavailable(integration, asked, "no connection, or it was cut", "start the server or look at its network")


def _words(error: Exception) -> str:
    """Return what the server said, in the order it did, without the client's own bytes marks."""
    text = " ".join(str(part) for part in error.args) or type(error).__name__
    return re.sub(r"b'([^']*)'", r"\1", text)[:300].rstrip(". ")
