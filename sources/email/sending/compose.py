"""Composes a mail (RFC 5322, RFC 2045): text first, then HTML, then attachments; only ASCII goes over the line.

The same mail has the same bytes each time: its Message-ID is given, and the lines between its parts are made of it.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address as Person
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

_POLICY = SMTP.clone(raise_on_defect=True)


@dataclass(frozen=True, slots=True)
class Composed:
    """What a mail is made of.

    Attributes:
        message_id: without angle brackets.
        sender: who it is from.
        to: addresses of the recipients.
        subject: one line.
        text: the plain text.
        html: the same as HTML; None for a mail of text alone.
        cc: addresses that get a copy.
        reply_to: who answers go to.
        headers: further headers by name, in ASCII and folded: Python would encode long addresses as words.
        attachments: content by file name.
    """

    message_id: str
    sender: Person
    to: tuple[str, ...]
    subject: str
    text: str
    html: str | None = None
    cc: tuple[str, ...] = ()
    reply_to: Person | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)


def composed(mail: Composed) -> bytes:
    """Return the bytes of a mail without its Date; lines end with CRLF."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = mail.sender
    message["To"] = [Person(addr_spec=each) for each in mail.to]
    if mail.cc:
        message["Cc"] = [Person(addr_spec=each) for each in mail.cc]
    if mail.reply_to is not None:
        message["Reply-To"] = mail.reply_to
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.message_id}>"
    message.set_content(mail.text, cte="quoted-printable")
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    for name, content in mail.attachments.items():
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        main, _, sub = ("application/octet-stream" if kind.startswith(("text/", "message/")) else kind).partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    _tidy(message, mail.message_id)
    written = "".join(f"{name}: {value}\r\n" for name, value in mail.headers.items())
    return written.encode("ascii") + message.as_bytes()


def _tidy(message: EmailMessage, message_id: str) -> None:
    """Set the lines between the parts, which Python would draw at random: a plan that is made again has to be equal."""
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for part in list(message.walk())[1:]:
        del part["MIME-Version"]  # it belongs to the mail and not to its parts (RFC 2045, section 4)
    for number, part in enumerate(multiparts):
        part.set_boundary(f"=_{sha256(f'{number} {message_id}'.encode()).hexdigest()[:32]}")
