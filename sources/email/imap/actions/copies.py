"""The copies of what was sent, by IMAP: searched by Message-ID, and put into the mailbox for sent mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leat.sources.email.imap.mailboxes import Mailbox, list_wanted
from leat.sources.email.imap.opening import open_session
from leat.sources.email.imap.session import Address, Session
from leat.sources.errors import IntegrationError


@dataclass(slots=True)
class Copies:
    """Sessions of the accounts whose mailboxes have the copies, opened when they are first needed.

    Attributes:
        integration: name of the declaration.
        address: the IMAP server.
        accounts: password by login.
    """

    integration: str
    address: Address
    accounts: Mapping[str, str]
    _sessions: dict[str, Session] = field(default_factory=dict)
    _sent: dict[str, Mailbox | None] = field(default_factory=dict)

    def close(self) -> None:
        """Sign out everywhere."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def find(self, account: str, mailbox: str | None, message_id: str) -> bool:
        """Return whether a mailbox has a message.

        Args:
            account: login.
            mailbox: its name; None for the one that the server calls Sent.
            message_id: without angle brackets.
        """
        try:
            session, box = self._mailbox(account, mailbox)
            if box is None:
                return False
            session.examine(box.wire)
            return bool(session.find(message_id))
        except IntegrationError:
            self._forget(account)
            raise

    def file(self, account: str, mailbox: str | None, message_id: str, content: bytes) -> None:
        """Put a copy into a mailbox, unless it is there."""
        if self.find(account, mailbox, message_id):
            return
        try:
            session, box = self._mailbox(account, mailbox)
            session.append(box.wire if box else _wire(mailbox or "Sent"), content, datetime.now(UTC))
        except IntegrationError:
            self._forget(account)
            raise

    def _mailbox(self, account: str, name: str | None) -> tuple[Session, Mailbox | None]:
        if account not in self._sessions:
            self._sessions[account] = open_session(self.integration, account, self.address, self.accounts[account])
        session, key = self._sessions[account], f"{account}\0{name or ''}"
        if self._sent.get(key) is None:
            listed = [each for each in list_wanted(session, None, ()) if each.selectable]
            wanted = [each for each in listed if each.name == name] if name else _sent_of(listed)
            self._sent[key] = wanted[0] if wanted else None
        return session, self._sent[key]

    def _forget(self, account: str) -> None:
        session = self._sessions.pop(account, None)
        if session is not None:
            session.close()


def _sent_of(listed: list[Mailbox]) -> list[Mailbox]:
    by_role = [each for each in listed if each.row["role"] == "sent"]
    return by_role or [each for each in listed if each.name == "Sent"]


def _wire(name: str) -> str:
    from imapclient.imap_utf7 import encode  # type: ignore[import-untyped]

    return str(encode(name).decode("ascii"))
