"""The mail that carries a scheduling message (iMIP, RFC 6047).

::

    multipart/mixed
      multipart/alternative
        text/plain                         for people
        text/calendar; method=REQUEST      what calendar programs act on
      application/ics; invite.ics          for programs that only look at attachments

The calendar parts are base64, so that no server on the way changes a line of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address as Person
from email.message import EmailMessage
from email.policy import SMTP

from leat.sources.calendar.itip import Method


@dataclass(frozen=True, slots=True)
class Note:
    """What a mail with a scheduling message is made of.

    Attributes:
        message_id: without angle brackets.
        sender: the organizer of a request or cancellation, the attendee of a reply (RFC 6047, 2.3).
        to: addresses of the recipients.
        subject: of the mail; line breaks become blanks.
        text: the plain text.
        method: what the message is.
        calendar: the message, in iCalendar.
    """

    message_id: str
    sender: Person
    to: Sequence[str]
    subject: str
    text: str
    method: Method
    calendar: str


def composed(note: Note) -> bytes:
    """Return the bytes of a mail without its Date; lines end with CRLF."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = note.sender
    mail["To"] = ", ".join(note.to)
    mail["Subject"] = one_line(note.subject)
    mail["Message-ID"] = f"<{note.message_id}>"
    mail.set_content(note.text, cte="quoted-printable")
    mail.add_alternative(note.calendar, subtype="calendar", params={"method": note.method}, cte="base64")
    content = note.calendar.encode()
    mail.add_attachment(content, maintype="application", subtype="ics", filename="invite.ics")
    return mail.as_bytes()


def one_line(text: str) -> str:
    """Return a text that somebody wrote as one line without control characters, at most 200 characters."""
    shown = " ".join(text.split())
    return "".join(each for each in shown if each.isprintable())[:200]
