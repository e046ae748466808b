"""One connection to an SMTP server (RFC 5321), which letters are handed to one after the other.

A letter goes to all of its recipients or to none, unless the caller wants it otherwise: if the server refuses one, leat
resets the transaction. The server is
responsible for a letter when it has answered the end of DATA with 250. If the connection is cut after the content was
sent and before that answer, nobody knows; every other failure says that nothing was sent.
"""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from leat.sources.egress import check_host
from leat.sources.email.sending.declared import SmtpAddress
from leat.sources.errors import (
    IntegrationError,
    NotConfigured,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from leat.sources.settings import redact
from leat.tls import TOO_OLD, UPDATE, is_too_old

_NAME = "leat.invalid"
"""How leat greets; the name of the machine would end up in the header of every mail (RFC 2606)."""
_TRY_LATER = "try later; the server says that it can't take mail now"


class Smtp:
    """A connection that is opened when it is first needed, and again when the server has closed it.

    Args:
        integration: name of the declaration, for messages.
        address: where the server is.
    """

    def __init__(self, integration: str, address: SmtpAddress) -> None:
        self.integration = integration
        self.address = address
        self._client: smtplib.SMTP | None = None

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._client is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._client.quit()
            self._client.close()
            self._client = None

    def open(self) -> smtplib.SMTP:
        """Return the connection: connect and sign in, unless that was done and it is alive.

        Raises:
            IntegrationError: the server can't be reached or refuses; nothing was sent.
        """
        if self._client is not None:
            with suppress(OSError, smtplib.SMTPException):
                if self._client.rset()[0] == 250:
                    return self._client
            self.close()
        where = self.address
        check_host(self.integration, where.host, encrypted=where.security != "none")
        asked = f"connecting to {where.host}:{where.port} ({where.security})"
        try:
            self._client = client = self._connected()
            if where.username is not None:
                asked = f"signing in as {where.username}"
                client.login(where.username, where.password or "")
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            self.close()
            raise self._nothing_sent(asked, error) from error
        return client

    def submit(
        self, sender: str, recipients: Sequence[str], content: bytes, refused: dict[str, str] | None = None
    ) -> str:
        """Hand over a letter, once, and return the server's answer.

        Args:
            sender: address that bounces go to.
            recipients: addresses that it is delivered to.
            content: header and body, lines end with CRLF.
            refused: where given, the recipients that the server refuses for good are put here with its answer, and the
                others get the letter.

        Raises:
            IntegrationError: it was refused, or nobody knows whether it was accepted (``may_have_acted``).
        """
        client, asked = self.open(), f"sending to {self.address.host}"
        try:
            self._must(client.mail(sender), "the sender")
            for each in recipients:
                code, answered = client.rcpt(each)
                if refused is not None and code >= 500 and len(refused) + 1 < len(recipients):
                    refused[each] = f"{code} {_words(answered)}"
                else:
                    self._must((code, answered), "a recipient")
            self._must(client.docmd("DATA"), "the mail", accepted=(354,))
        except IntegrationError:
            self._reset(client)
            raise
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise self._nothing_sent(asked, error) from error
        try:
            client.send(_stuffed(content))
            answer = client.getreply()
        except TimeoutError as error:
            self.close()
            got = f"no answer in {self.address.timeout:g} s after the mail was sent"
            raise TimedOut(
                self.integration, asked, got, "see whether it arrived, unless leat finds its copy"
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            got = "the connection was cut after the mail was sent"
            raise Unavailable(
                self.integration, asked, got, "see whether it arrived, unless leat finds its copy"
            ) from error
        self._must(answer, "the mail")
        return _words(answer[1])

    def _connected(self) -> smtplib.SMTP:
        where = self.address
        if where.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                where.host, where.port, local_hostname=_NAME, timeout=where.timeout, context=where.tls
            )
        else:
            client = smtplib.SMTP(where.host, where.port, local_hostname=_NAME, timeout=where.timeout)
        try:
            if client.sock is not None:
                client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if where.security == "starttls":
                client.starttls(context=where.tls)
            client.ehlo_or_helo_if_needed()
        except BaseException:
            client.close()
            raise
        return client

    def _must(self, answer: tuple[int, bytes], what: str, accepted: Sequence[int] = (250, 251)) -> None:
        if answer[0] not in accepted:
            self._refused(answer[0], answer[1], what)

    def _refused(self, code: int, text: bytes, what: str) -> NoReturn:
        """Raise what an answer means: 4xx may pass, 5xx doesn't (RFC 5321, section 4.2.1); neither sent anything."""
        got, asked = f"{code} {_words(text)}", f"sending to {self.address.host}"
        if 400 <= code < 500:
            raise RateLimited(self.integration, asked, f"the server doesn't take {what} now: {got}", _TRY_LATER)
        if code in (530, 535, 538):
            raise Unauthenticated(self.integration, asked, got, "set connection.send.username and password")
        raise Rejected(self.integration, asked, f"the server refuses {what}: {got}", "look at what the server says")

    def _reset(self, client: smtplib.SMTP) -> None:
        try:
            client.rset()
        except (OSError, smtplib.SMTPException):
            self.close()

    def _nothing_sent(self, asked: str, error: Exception) -> IntegrationError:
        failure = self._failure(asked, error)
        failure.reached = False
        return failure

    def _failure(self, asked: str, error: Exception) -> IntegrationError:
        import ssl

        who = self.integration
        if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
            got = f"{error.smtp_code} {_words(error.smtp_error)}"
            return Unauthenticated(who, asked, got, "check username and password; some vendors want an app password")
        if isinstance(error, smtplib.SMTPNotSupportedError):
            got = "the server doesn't offer it"
            return NotConfigured(who, asked, got, "correct connection.send: security, username")
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500:
            got = f"{error.smtp_code} {_words(error.smtp_error)}"
            return Rejected(who, asked, got, "look at what the server says, and at its log")
        if isinstance(error, smtplib.SMTPException):
            return Unavailable(who, asked, f"no mail can be handed over ({type(error).__name__})", _TRY_LATER)
        if isinstance(error, TimeoutError):
            return TimedOut(who, asked, f"no answer in {self.address.timeout:g} s", "try later")
        if isinstance(error, ssl.SSLCertVerificationError):
            got = f"the server's certificate isn't valid: {error.verify_message}"
            return Rejected(who, asked, got, "fix the certificate, or name its authority with connection.authorities")
        if isinstance(error, ssl.SSLError) and is_too_old(error):
            return Rejected(who, asked, TOO_OLD, UPDATE)
        if isinstance(error, ssl.SSLError):
            return Rejected(who, asked, "no TLS is spoken there", "check connection.send: host's port and security")
        return Unavailable(who, asked, "no connection, or it was cut", "start the server or look at its network")


def _stuffed(content: bytes) -> bytes:
    """Return what goes over the line: a dot before lines that begin with one, and the end (RFC 5321, 4.5.2)."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    stuffed = ended.replace(b"\r\n.", b"\r\n..")
    return (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"


def _words(text: bytes | str) -> str:
    shown = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    return redact(" ".join(shown.split())[:200]).rstrip(". ")
