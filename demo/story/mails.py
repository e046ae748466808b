"""What is in the mailboxes of the demo company: receipts, what bounced, and threads among people and customers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from leat.demo.story.people import SHOP
from leat.demo.story.trade import GHOST_RECEIPT, Customer, Order


@dataclass(frozen=True, slots=True)
class Mail:
    """One message in one mailbox.

    Attributes:
        account: address whose mailboxes hold it.
        mailbox: name of the mailbox, for example ``INBOX`` or ``Sent``.
        message_id: without angle brackets.
        sender: address.
        to: addresses.
        sent_at: when, UTC.
        subject: as a person reads it.
        text: the body.
        in_reply_to: message id.
        attachment: name and text of an attached file.
        bounced: address that a message couldn't be delivered to; this is the report about it (RFC 3464).
        seen: whether it was read.
    """

    account: str
    mailbox: str
    message_id: str
    sender: str
    to: tuple[str, ...]
    sent_at: datetime
    subject: str
    text: str
    in_reply_to: str | None = None
    attachment: tuple[str, str] | None = None
    bounced: str | None = None
    seen: bool = True


_TALK = (
    ("alice.martin", "bob.okafor", 9.0, "Searching the shop", "Could you look at how hits are ranked?"),
    ("bob.okafor", "alice.martin", 8.8, "Re: Searching the shop", "Done. Rare words weigh more now."),
    ("alice.martin", "bob.okafor", 8.7, "Re: Searching the shop", "Thank you!"),
    ("hana.ito", "fay.nguyen", 5.5, "Überfällige Rechnungen – wer mahnt?", "Birch has not paid, I think."),
    ("fay.nguyen", "hana.ito", 5.1, "Re: Überfällige Rechnungen – wer mahnt?", "It is booked as paid. Strange."),
    ("dan.rossi", "alice.martin", 3.0, "Backups", "They run each night. I should try to restore one."),
)


def write_mails(began_at: datetime, orders: tuple[Order, ...], customers: Mapping[str, Customer]) -> Iterator[Mail]:
    """Yield every mail, oldest first within each kind; the same for the same day."""

    def at(days: float) -> datetime:
        return began_at - timedelta(days=days)

    for order in orders:
        if order.receipt:
            yield from _receipt(order, customers[order.customer], at(order.days_ago) + timedelta(minutes=2))
    unknown = "nobody@nowhere.example"
    yield Mail(SHOP, "Sent", f"receipt-{GHOST_RECEIPT}@demo.example", SHOP, (unknown,), at(11),
               f"Receipt for order {GHOST_RECEIPT}", "You paid 49.00 EUR.")  # fmt: skip
    before: dict[str, str] = {}
    for number, (sender, recipient, days, subject, text) in enumerate(_TALK):
        thread = subject.removeprefix("Re: ")
        message_id = f"talk-{number}@demo.example"
        for owner, mailbox in ((sender, "Sent"), (recipient, "INBOX")):
            yield Mail(f"{owner}@demo.example", mailbox, message_id, f"{sender}@demo.example",
                       (f"{recipient}@demo.example",), at(days), subject, text, before.get(thread),
                       seen=number != len(_TALK) - 1)  # fmt: skip
        before[thread] = message_id
    yield Mail("hana.ito@demo.example", "INBOX", "hello-1@cedar.example", "celine@cedar.example",
               ("hana.ito@demo.example",), at(27.5), "L'hôtel — devis accepté ✓", "Voici la commande signée.",
               attachment=("commande signée.txt", "Dix lampes de bureau, merci."))  # fmt: skip
    yield Mail("old.hand@demo.example", "INBOX", "hello-2@demo.example", "alice.martin@demo.example",
               ("old.hand@demo.example",), at(90), "Farewell", "Thank you for all, Otto.", seen=False)  # fmt: skip


def _receipt(order: Order, customer: Customer, sent_at: datetime) -> Iterator[Mail]:
    message_id = f"receipt-{order.number}@demo.example"
    text = f"Dear {customer.contact},\n\nyou paid {order.total} {order.currency} (in minor units) for your order.\n"
    pdf = (f"{order.number}.txt", f"Invoice {order.number}\n")
    subject = f"Receipt for order {order.number}"
    yield Mail(SHOP, "Sent", message_id, SHOP, (customer.email,), sent_at, subject, text, attachment=pdf)
    if order.receipt_bounced:
        yield Mail(SHOP, "INBOX", f"bounce-{order.number}@mx.example", "mailer-daemon@mx.example", (SHOP,),
                   sent_at + timedelta(minutes=1), "Undelivered Mail Returned to Sender", "It could not be delivered.",
                   in_reply_to=message_id, bounced=customer.email, seen=False)  # fmt: skip
