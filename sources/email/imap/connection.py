"""The ``connection:`` of e-mail: the server, the accounts whose mailboxes are read, and how much of a message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from leat import tls
from leat.sources.driver import ConnectionModel, Sync
from leat.sources.email.imap.session import PORTS, Address
from leat.sources.email.sending.declared import Sending
from leat.sources.errors import NotConfigured
from leat.sources.settings import LOCAL, Named, Secret, Setting, read_secret, read_setting, remember_secret

if TYPE_CHECKING:
    import ssl

Security = Literal["tls", "starttls", "none"]


class Account(ConnectionModel):
    """One login of the server."""

    username: Setting = Field(description="Login.")
    password: Secret = Field(description="Password, or an app password if the vendor has them.")


class Connection(ConnectionModel):
    """Where the mail is, which accounts to read, and how much."""

    host: Setting = Field(description="Name of the server, with its port where that isn't 993 (tls) or 143.")
    security: Security | Named = Field(
        default="tls", description="tls, starttls, or none: then passwords and mail travel unencrypted."
    )
    authorities: Setting | None = Field(
        default=None,
        description="PEM file of certificate authorities to trust instead of the machine's.",
        json_schema_extra=LOCAL,
    )
    username: Setting | None = Field(default=None, description="Login, to read a single account.")
    password: Secret | None = Field(default=None, description="Its password, or an app password.")
    accounts: tuple[Account, ...] | Named = Field(
        default=(),
        description="Further accounts, each with username and password; or a named JSON object of login to password.",
    )
    shared: tuple[str, ...] = Field(
        default=(),
        description="Logins of accounts that no single person owns: several people or a program use them.",
    )
    mailboxes: tuple[str, ...] | None = Field(
        default=None, description="Names or patterns (`*`, `?`) of the mailboxes to read; none for all."
    )
    skip_mailboxes: tuple[str, ...] = Field(
        default=(), description="Names or patterns of mailboxes to leave out, for example `[Gmail]/All Mail`."
    )
    max_bytes: int = Field(default=10 * 2**20, ge=2**10, le=2**30, description="Bytes to read at most of a message.")
    attachments: Setting | None = Field(
        default=None,
        description="Folder to store attachments in, by their hash; without it, only name, size and hash are loaded.",
        json_schema_extra=LOCAL,
    )
    send: Sending | None = Field(
        default=None, description="The server that mail is handed to; without it, none is sent."
    )
    timeout: float = Field(default=60, gt=0, le=600, description="Seconds to wait for a response.")


def address_of(connection: Connection, sync: Sync) -> Address:
    """Return where the server is.

    Raises:
        NotConfigured: a named value is missing or can't be used.
    """
    written = read_setting(connection.host, sync.integration, sync.project).strip()
    security = connection.security
    if isinstance(security, Named):
        security = _security(security.read(sync.integration, sync.project), sync)
    host, _, port = written.rpartition(":") if _has_port(written) else (written, "", str(PORTS[security]))
    host = host.strip("[]")
    if not host or not port.isdigit() or not 0 < int(port) < 65_536:
        got = f"it is {written!r}"
        raise NotConfigured(sync.integration, "reading connection.host", got, "write it as host or host:port")
    context = None if security == "none" else trusted(connection, sync)
    return Address(host, int(port), security, connection.timeout, context)


def hosts(connection: Connection, sync: Sync) -> Iterator[tuple[str, int]]:
    """Yield the host and the port of the server.

    Raises:
        NotConfigured: as for :func:`address_of`.
    """
    address = address_of(connection, sync)
    yield address.host, address.port


def _has_port(written: str) -> bool:
    return ":" in written and not written.endswith("]") and (written.count(":") == 1 or "]:" in written)


def _security(value: str, sync: Sync) -> Security:
    security: Security
    for security in ("tls", "starttls", "none"):
        if value.strip().lower() == security:
            return security
    asked = "reading connection.security"
    raise NotConfigured(sync.integration, asked, f"it is {value!r}", "set it to tls, starttls or none")


def trusted(connection: Connection, sync: Sync) -> ssl.SSLContext:
    """Return how certificates are verified: always, and the name of the host with them.

    Raises:
        NotConfigured: the named file can't be read.
    """
    if connection.authorities is None:
        return tls.client_context()
    path = sync.project / read_setting(connection.authorities, sync.integration, sync.project)
    try:
        return tls.client_context(path)
    except OSError as error:  # ssl.SSLError is one
        got = error.strerror or "it has no certificates"
        raise NotConfigured(sync.integration, f"reading {path}", got, "name a PEM file of certificates") from error


def accounts_of(connection: Connection, sync: Sync) -> Mapping[str, str]:
    """Return password by login of the accounts to read.

    Raises:
        NotConfigured: there are none, or a named value is missing or isn't a JSON object.
    """
    accounts: dict[str, str] = {}
    if connection.username is not None and connection.password is not None:
        login = read_setting(connection.username, sync.integration, sync.project)
        accounts[login] = read_secret(connection.password, sync.integration, sync.project)
    if isinstance(connection.accounts, Named):
        accounts |= _named_accounts(connection.accounts, sync)
    else:
        for account in connection.accounts:
            login = read_setting(account.username, sync.integration, sync.project)
            accounts[login] = read_secret(account.password, sync.integration, sync.project)
    if not accounts:
        next_step = "set connection.username and connection.password, or connection.accounts"
        raise NotConfigured(sync.integration, "reading connection", "it names no account", next_step)
    return accounts


def _named_accounts(named: Named, sync: Sync) -> dict[str, str]:
    text = read_secret(named, sync.integration, sync.project)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        next_step = 'write it as {"login": "password", …}'
        raise NotConfigured(
            sync.integration, f"reading accounts from {named.name}", "it isn't a JSON object", next_step
        )
    for password in value.values():
        remember_secret(password)
    return value


def attachments_folder(connection: Connection, sync: Sync) -> Path | None:
    """Return the folder that attachments are stored in."""
    if connection.attachments is None:
        return None
    return sync.project / read_setting(connection.attachments, sync.integration, sync.project)
