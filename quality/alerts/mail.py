"""Sends a message as a mail to the addresses of an Apprise URL, ``mailto://`` or ``mailtos://``.

Apprise reads the URL, and leat sends: Apprise would give the mail another Message-ID at each attempt. So every attempt
sends the same bytes, as long as the URL is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address as Person
from typing import Any

from leat.quality.alerts.text import Text
from leat.sources.email.sending.addresses import checked
from leat.sources.email.sending.compose import Composed, composed
from leat.sources.email.sending.declared import PORTS, SmtpAddress
from leat.sources.email.sending.letters import Letter
from leat.sources.email.sending.smtp import Smtp
from leat.sources.errors import NotConfigured
from leat.tls import client_context

_TIMEOUT = 20.0
"""Seconds to wait for an answer of the server."""
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}
"""So that no absence note answers (RFC 3834)."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """What the URL of a channel says: the server, and who gets its mails."""

    server: SmtpAddress
    sender: Person
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: Person | None
    headers: dict[str, str]


def mailing_of(service: Any, channel: str) -> Mailing:
    """Return what a URL says.

    Args:
        service: what Apprise has read: a ``NotifyEmail``.
        channel: name of the channel, for messages.

    Raises:
        NotConfigured: an address isn't valid, or certificates are to be ignored.
    """
    security = {"insecure": "none", "ssl": "tls"}.get(str(service.secure_mode), "starttls")
    if not service.verify_certificate:
        got, next_step = "verify=no accepts any certificate", "leave it out, and let the machine trust the authority"
        raise NotConfigured(channel, "reading the URL of the channel", got, next_step)
    user = (service.user or None) if service.password else None
    port = int(service.port or PORTS[security])
    server = SmtpAddress(service.smtp_host, port, security, _TIMEOUT, client_context(), user, service.password)
    name, address = service.from_addr
    try:
        sender = Person("leat" if name == "Apprise" else name or "", addr_spec=checked(address))
        to = tuple(checked(each) for _, each in service.targets)
        cc, bcc, answers = (tuple(map(checked, sorted(each))) for each in (service.cc, service.bcc, service.reply_to))
    except ValueError as error:
        next_step = "correct from, to, cc, bcc or reply in it"
        raise NotConfigured(channel, "reading the URL of the channel", str(error), next_step) from None
    reply_to = Person(addr_spec=answers[0]) if answers else None
    plain = {k: v for k, v in service.headers.items() if f"{k}{v}".isascii() and f"{k}{v}".isprintable()}
    return Mailing(server, sender, to, cc, bcc, reply_to, plain)


def send_mail(mailing: Mailing, text: Text, message: str, sent_at: datetime | None, channel: str) -> dict[str, str]:
    """Hand a message to the server, once. Who it refuses gets none, and the others do.

    Args:
        mailing: the server and the recipients.
        text: what the message says.
        message: its id.
        sent_at: when it was sent first, for its Date.
        channel: name of the channel, for messages.

    Returns:
        the Message-ID, and whom the server refuses.

    Raises:
        IntegrationError: it wasn't sent, or nobody knows.
    """
    message_id = f"{message}@{mailing.sender.domain}"
    headers = {**_AUTOMATIC, "X-Leat-Message": message, **mailing.headers}
    mail = Composed(message_id, mailing.sender, mailing.to, text.title, text.body, None, mailing.cc, mailing.reply_to,
                    headers)  # fmt: skip
    everybody = tuple(dict.fromkeys([*mailing.to, *mailing.cc, *mailing.bcc]))
    letter = Letter(message_id, mailing.sender.addr_spec, everybody, composed(mail))
    refused: dict[str, str] = {}
    smtp = Smtp(channel, mailing.server)
    try:
        smtp.submit(letter.sender, letter.envelope(), letter.dated(sent_at), refused)
    finally:
        smtp.close()
    said = "; ".join(f"{address}: {answer}" for address, answer in refused.items())
    return {"message_id": message_id} | ({"refused": f"refused: {said}"} if said else {})
