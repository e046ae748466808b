"""The demo company's mailboxes: receipts of the web shop, what bounced, and what people write to each other."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime
from itertools import groupby

from leat.demo.story import Mail, Story
from leat.demo.story.people import SHOP


def mail_accounts(story: Story) -> list[str]:
    """Return the logins of all mailboxes: everybody who has one, and the web shop."""
    return [SHOP, *(person.email for person in story.people if person.mailbox)]


def seed_email(port: int, password: str, story: Story) -> list[str]:
    """Put the story's mails into the mailboxes that are empty; returns those that got any, as ``account/mailbox``.

    Args:
        port: where the server speaks IMAP on 127.0.0.1.
        password: of every account.
        story: what is in them.

    Raises:
        RuntimeError: the server refused a mail.
    """
    filled = []
    mails = sorted(story.mails, key=lambda mail: (mail.account, mail.mailbox, mail.sent_at))
    for account, of_account in groupby(mails, key=lambda mail: mail.account):
        with imaplib.IMAP4("127.0.0.1", port, timeout=30) as client:
            client.login(account, password)
            for mailbox, in_mailbox in groupby(of_account, key=lambda mail: mail.mailbox):
                if _fill(client, mailbox, in_mailbox):
                    filled.append(f"{account}/{mailbox}")
    return filled


def _fill(client: imaplib.IMAP4, mailbox: str, mails: Iterator[Mail]) -> bool:
    """Append mails to a mailbox, unless it holds any already."""
    client.create(mailbox)  # it says no when the mailbox is there
    kind, answer = client.select(mailbox, readonly=True)
    if kind != "OK" or answer[0] != b"0":
        return False
    for mail in mails:
        flags = r"(\Seen)" if mail.seen else "()"
        date = imaplib.Time2Internaldate(mail.sent_at)
        kind, refusal = client.append(mailbox, flags, date, written(mail))
        if kind != "OK":
            msg = f"the mail server refused {mail.message_id}: {refusal!r}"
            raise RuntimeError(msg)
    return True


def written(mail: Mail) -> bytes:
    """Return a mail as it is sent (RFC 5322); the same for the same mail."""
    message = _report(mail) if mail.bounced else _plain(mail)
    head = {
        "From": mail.sender,
        "To": ", ".join(mail.to),
        "Subject": mail.subject,
        "Date": format_datetime(mail.sent_at),
        "Message-ID": f"<{mail.message_id}>",
    }
    if mail.in_reply_to and not mail.bounced:
        head |= {"In-Reply-To": f"<{mail.in_reply_to}>", "References": f"<{mail.in_reply_to}>"}
    for name, value in head.items():
        message[name] = value
    if message.is_multipart():
        message.set_boundary(f"part-{mail.message_id.replace('@', '-')}")
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _plain(mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message.set_content(f"{mail.text}\n")
    if mail.attachment:
        name, text = mail.attachment
        message.add_attachment(text, filename=name)
    return message


def _report(mail: Mail) -> MIMEMultipart:
    """Return the report that a mail could not be delivered (RFC 3464)."""
    about = EmailMessage()
    about["Reporting-MTA"] = "dns; mx.example"
    about["Arrival-Date"] = format_datetime(mail.sent_at)
    recipient = EmailMessage()
    recipient["Final-Recipient"] = f"rfc822; {mail.bounced}"
    recipient["Action"] = "failed"
    recipient["Status"] = "5.1.1"
    recipient["Diagnostic-Code"] = "smtp; 550 5.1.1 no such user"
    status = EmailMessage()
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([about, recipient])
    original = EmailMessage()
    original["Message-ID"] = f"<{mail.in_reply_to}>"
    original["To"] = str(mail.bounced)
    original.set_content("")
    report = MIMEMultipart("report")
    report.set_param("report-type", "delivery-status")
    for part in (MIMEText(mail.text), status, MIMEMessage(original)):
        report.attach(part)
    return report
