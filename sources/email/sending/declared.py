"""``connection.send``: the server that mail is handed to, who it is from, and what shows that it was accepted."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from email.headerregistry import Address as Person
from email.utils import parseaddr
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from leat.sources.driver import ConnectionModel, Sync
from leat.sources.email.sending.addresses import checked
from leat.sources.errors import NotConfigured
from leat.sources.settings import Named, Secret, Setting, read_secret, read_setting

if TYPE_CHECKING:
    import ssl

PORTS = {"tls": 465, "starttls": 587, "none": 25}
MOST_SECONDS = 20.0
"""Seconds to wait at most for an answer: one step of an action has a minute."""
_SECURITIES: tuple[Literal["tls", "starttls", "none"], ...] = ("tls", "starttls", "none")


class Witness(ConnectionModel):
    """A mailbox that gets a blind copy of everything that is sent."""

    address: Setting = Field(description="Address that gets the copies.")
    account: Setting | None = Field(
        default=None, description="Login that can read them, one of the connection's; without it, the address."
    )
    password: Secret | None = Field(
        default=None,
        description="Password of the login; only if it is none of the connection's, so that it isn't loaded.",
    )
    mailbox: str = Field(default="INBOX", description="Mailbox that they arrive in.")


class Sending(ConnectionModel):
    """The server that mail is handed to."""

    host: Setting = Field(description="Name of the server, with its port where that isn't 465 (tls), 587 or 25 (none).")
    security: Literal["tls", "starttls", "none"] | Named = Field(
        default="tls", description="tls, starttls, or none, which is only for a server on the same machine."
    )
    username: Setting | None = Field(default=None, description="Login; none where the server wants none.")
    password: Secret | None = Field(default=None, description="Its password, or an app password.")
    sender: Setting = Field(alias="from", description='Who mail is from: "Shop <shop@example.com>".')
    reply_to: Setting | None = Field(default=None, description="Address that replies go to; without it, the sender.")
    account: Setting | None = Field(
        default=None, description="Login whose mailbox gets the copies of what is sent; without it, the sender's."
    )
    sent_mailbox: str | None = Field(
        default=None, description="Mailbox for the copies; without it, the one that the server calls Sent, or `Sent`."
    )
    server_files_copies: bool = Field(
        default=False, description="Whether the server itself puts a copy into that mailbox, as Gmail does."
    )
    witness: Witness | None = Field(
        default=None, description="Mailbox that shows after a crash whether the server had accepted a mail."
    )
    signing_key: Secret | None = Field(
        default=None, description="Key of at least 16 characters that links are signed with; bulk mail needs one."
    )
    unsubscribe_to: Setting | None = Field(
        default=None, description="Address that mails to unsubscribe go to; without it, that of replies."
    )
    public_url: Setting | None = Field(
        default=None,
        description="Where leat's server can be reached by recipients, for links: https://mail.example.com.",
    )
    settle: float = Field(
        default=60, ge=0, le=3600, description="Seconds within which a copy has arrived, if the server accepted a mail."
    )


@dataclass(frozen=True, slots=True)
class SmtpAddress:
    """Where the server is, how it is spoken to, and how leat signs in there."""

    host: str
    port: int
    security: str
    timeout: float
    tls: ssl.SSLContext | None
    username: str | None
    password: str | None


def is_probed(sending: Sending | None) -> bool:
    """Return whether something other than leat shows that a mail was accepted."""
    return sending is not None and (sending.witness is not None or sending.server_files_copies)


def smtp_address(sending: Sending, sync: Sync, timeout: float, tls: ssl.SSLContext | None) -> SmtpAddress:
    """Return where the server is.

    Raises:
        NotConfigured: a named value is missing or can't be used.
    """
    security = sending.security if isinstance(sending.security, str) else _security(sending.security, sync)
    written = read_setting(sending.host, sync.integration, sync.project).strip()
    host, _, port = written.rpartition(":") if written.count(":") == 1 or "]:" in written else (written, "", "")
    host, port = host.strip("[]"), port or str(PORTS[security])
    asked = "reading connection.send.host"
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        raise NotConfigured(sync.integration, asked, f"it is {written!r}", "write it as host or host:port")
    if security == "none" and not _is_here(host):
        got = "with security: none, passwords and mail would cross the network unencrypted"
        raise NotConfigured(sync.integration, asked, got, "set security to tls or starttls")
    username = password = None
    if sending.username is not None:
        username = read_setting(sending.username, sync.integration, sync.project)
        if sending.password is None:
            raise NotConfigured(sync.integration, "reading connection.send.password", "it isn't set", "set it")
        password = read_secret(sending.password, sync.integration, sync.project)
    return SmtpAddress(host, int(port), security, min(timeout, MOST_SECONDS), tls, username, password)


def _security(named: Named, sync: Sync) -> str:
    value = named.read(sync.integration, sync.project).strip().lower()
    if value not in _SECURITIES:
        asked = "reading connection.send.security"
        raise NotConfigured(sync.integration, asked, f"it is {value!r}", "set it to tls, starttls or none")
    return value


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def person_of(setting: str | Named, name: str, sync: Sync) -> Person:
    """Return the name and address that a setting has.

    Raises:
        NotConfigured: it has no valid address.
    """
    written = read_setting(setting, sync.integration, sync.project)
    shown, address = parseaddr(written)
    try:
        return Person(shown, addr_spec=checked(address))
    except ValueError as error:
        next_step = 'write it like "Shop <shop@example.com>"'
        raise NotConfigured(sync.integration, f"reading connection.send.{name}", str(error), next_step) from None
