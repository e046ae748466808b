"""Sends a letter once: hands it over by SMTP, puts a copy into Sent, and looks for it by its Message-ID.

::

    DATA accepted by the server ──> it delivers to the recipients and, from the same transaction, to the witness
              │
              └──> leat puts a copy into Sent

The witness decides what became of a letter whose sender died or got no answer, for the server alone puts the copy
there: it is there if and only if the server has accepted the letter. The copy in Sent is made by leat after that, so it
proves that the letter was sent, and its absence proves nothing. See docs/decisions/0022-sending-mail.md.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.headerregistry import Address as Person
from typing import NoReturn

from leat.sources.actions import Change, Order, Receipt, Refused
from leat.sources.driver import Sync
from leat.sources.email.imap.actions.copies import Copies
from leat.sources.email.imap.connection import Connection, accounts_of, address_of, trusted
from leat.sources.email.sending.declared import Sending, person_of, smtp_address
from leat.sources.email.sending.letters import letter_of
from leat.sources.email.sending.smtp import Smtp
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.settings import read_secret, read_setting


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The mail server, to send by it.

    Attributes:
        sync: the integration and its project.
        sending: what is declared.
        sender: who mail is from.
        reply_to: who answers go to; None for the sender.
        unsubscribe_to: address that mails to unsubscribe go to.
        smtp: the connection that letters are handed to.
        copies: the mailboxes that have copies.
        account: login whose mailbox for sent mail gets a copy.
        witness: address, login and mailbox that show what the server accepted.
    """

    sync: Sync
    sending: Sending
    sender: Person
    reply_to: Person | None
    unsubscribe_to: str
    smtp: Smtp
    copies: Copies
    account: str
    witness: tuple[str, str, str] | None

    def message_id(self, action: str) -> str:
        """Return the Message-ID of an action's letter, without angle brackets."""
        return f"{action}@{self.sender.domain}"

    @property
    def witness_address(self) -> str | None:
        """The address that gets a blind copy."""
        return self.witness[0] if self.witness else None

    def is_sent(self, message_id: str) -> str | None:
        """Return where a copy is: ``sent`` or ``witness``; None when there is none."""
        if self.witness and self.copies.find(self.witness[1], self.witness[2], message_id):
            return "witness"
        return "sent" if self.copies.find(self.account, self.sending.sent_mailbox, message_id) else None


@contextlib.contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Outgoing]:
    """Open the mail server to send by it; it connects when something is sent or searched for.

    Raises:
        NotConfigured: ``connection.send`` is missing or wrong.
    """
    sending = connection.send
    if sending is None:
        next_step = "set connection.send to the SMTP server that takes mail"
        raise NotConfigured(sync.integration, "reading connection.send", "it isn't set", next_step)
    tls = trusted(connection, sync)
    smtp = Smtp(sync.integration, smtp_address(sending, sync, connection.timeout, tls))
    witness = _witness(sending, sync)
    loaded = accounts_of(connection, sync)
    accounts = dict(loaded)
    if witness and sending.witness and sending.witness.password is not None:
        accounts[witness[1]] = read_secret(sending.witness.password, sync.integration, sync.project)
    copies = Copies(sync.integration, address_of(connection, sync), accounts)
    sender = person_of(sending.sender, "from", sync)
    answers = person_of(sending.reply_to, "reply_to", sync) if sending.reply_to is not None else None
    leaving = person_of(sending.unsubscribe_to, "unsubscribe_to", sync) if sending.unsubscribe_to else answers or sender
    account = (
        sender.addr_spec if sending.account is None else read_setting(sending.account, sync.integration, sync.project)
    )
    if account not in loaded and sending.account is None and len(loaded) == 1:
        account = next(iter(loaded))
    for login, what in ((account, "account"), *([(witness[1], "witness.account")] if witness else [])):
        if login not in accounts:
            got = f"{login} is none of the accounts of the connection"
            next_step = "name one that is, or add its login and password to accounts"
            raise NotConfigured(sync.integration, f"reading connection.send.{what}", got, next_step)
    try:
        yield Outgoing(sync, sending, sender, answers, leaving.addr_spec, smtp, copies, account, witness)
    finally:
        smtp.close()
        copies.close()


def _witness(sending: Sending, sync: Sync) -> tuple[str, str, str] | None:
    if sending.witness is None:
        return None
    address = person_of(sending.witness.address, "witness.address", sync).addr_spec
    written = sending.witness.account
    login = address if written is None else read_setting(written, sync.integration, sync.project)
    return address, login, sending.witness.mailbox


def send(outgoing: Outgoing, order: Order) -> Receipt:
    """Hand over the letter of an action, and put a copy into Sent.

    Raises:
        IntegrationError: it wasn't sent, or nobody knows.
    """
    letter = letter_of(order)
    content = letter.dated(order.sent_at)
    outgoing.smtp.submit(letter.sender, letter.envelope(), content)
    sys.audit("leat.action", "accepted", order.id)
    return Receipt({"message_id": letter.message_id, "copy": _filed(outgoing, letter.message_id, content)})


def probe(outgoing: Outgoing, order: Order) -> Receipt | None:
    """Return the receipt when the server has accepted the letter; then there is a copy in Sent, too."""
    letter = letter_of(order)
    where = outgoing.is_sent(letter.message_id)
    if where is None:
        return None
    copy = where == "sent" or _filed(outgoing, letter.message_id, letter.dated(order.sent_at))
    return Receipt({"message_id": letter.message_id, "copy": copy})


def confirm(outgoing: Outgoing, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Search for the witness's copy; without a witness for the one in Sent.

    A witness that gets no copies, because of a filter or a wrong address, shows here and not only after a crash, when
    it would make leat send again. What couldn't be put into Sent when the letter was sent is put there now.
    """
    letter = letter_of(order)
    if not receipt.data.get("copy") and not outgoing.sending.server_files_copies:
        content = letter.dated(order.sent_at)
        outgoing.copies.file(outgoing.account, outgoing.sending.sent_mailbox, letter.message_id, content)
    where = outgoing.is_sent(letter.message_id)
    if where == "witness" or (where == "sent" and letter.witness is None):
        return ()
    what = "copy of what was sent" if letter.witness is None else f"copy for the witness {letter.witness}"
    return (Change(what, letter.message_id, None),)


def undo(_outgoing: Outgoing, _order: Order, _receipt: Receipt) -> NoReturn:
    """Refuse: what was sent stays sent."""
    msg = "a mail can't be taken back once it is sent; before that, `leat actions cancel` withdraws it"
    raise Refused(msg)


def _filed(outgoing: Outgoing, message_id: str, content: bytes) -> bool:
    """Put a copy into Sent; return False when that failed, which doesn't change that the letter was sent."""
    if outgoing.sending.server_files_copies:
        return False
    try:
        outgoing.copies.file(outgoing.account, outgoing.sending.sent_mailbox, message_id, content)
    except IntegrationError:
        return False
    return True
