"""Dovecot with two accounts, a thread, an attachment and a bounce; read back by plain IMAP and by hand."""

from __future__ import annotations

import base64
import imaplib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World
from tests.servers.dovecot import start_dovecot

ACCOUNTS = ("office", "shop")
SIGN_IN = rb"(?i)AUTHENTICATE PLAIN"
_KEY = ("account", "mailbox", "uidvalidity", "uid")
_COLUMNS = {
    "mailboxes": ("account", "mailbox"),
    "messages": _KEY,
    "recipients": (*_KEY, "role", "position"),
    "headers": (*_KEY, "position"),
    "attachments": (*_KEY, "part"),
    "flags": _KEY,
    "threads": ("account", "thread_id"),
    "bounces": (*_KEY, "position"),
    "complaints": (*_KEY, "position"),
    "invitations": (*_KEY, "part", "event_uid", "recurrence_id"),
}
_ROLES = {"from": "from", "sender": "sender", "reply-to": "reply_to", "to": "to", "cc": "cc"}
_REPORT = f"""Reporting-MTA: dns; mx.contract.example

Final-Recipient: rfc822; {MAIL}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 no such user
"""
_BOUNCE = f"""From: MAILER-DAEMON@mx.contract.example
To: office@contract.example
Subject: Returned
Message-ID: <bounce@contract.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It came back.
--b
Content-Type: message/delivery-status

{_REPORT}
--b--
""".replace("\n", "\r\n").encode()


_COMPLAINT = f"""From: feedback@contract.example
To: office@contract.example
Subject: Spam
Message-ID: <complaint@contract.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

Somebody complained.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Desk/1
Version: 1
Original-Rcpt-To: <{MAIL}>
--b
Content-Type: text/rfc822-headers

Message-ID: <sent@contract.example>

--b--
""".replace("\n", "\r\n").encode()


_REPLY = f"""From: {MAIL}
To: office@contract.example
Subject: Accepted
Message-ID: <reply@contract.example>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

I come.
--b
Content-Type: text/calendar; method=REPLY; charset=utf-8

BEGIN:VCALENDAR
VERSION:2.0
METHOD:REPLY
BEGIN:VEVENT
UID:meeting
DTSTAMP:20260310T090000Z
DTSTART:20260311T090000Z
ORGANIZER:mailto:office@contract.example
ATTENDEE;CN={PERSON};PARTSTAT=ACCEPTED:mailto:{MAIL}
END:VEVENT
END:VCALENDAR
--b--
""".replace("\n", "\r\n").encode()


def _mail(name: str, answers: str | None = None, attached: bool = False) -> bytes:
    mail = EmailMessage()
    mail["From"] = f"{PERSON} <{MAIL}>"
    mail["To"] = "b@x.example, c@x.example"
    mail["Cc"] = MAIL
    mail["Subject"] = f"For {PERSON}: {name}"
    mail["Date"] = "Tue, 10 Mar 2026 10:00:00 +0100"
    mail["Message-ID"] = f"<{name}@contract.example>"
    if answers:
        mail["In-Reply-To"] = f"<{answers}@contract.example>"
    mail.set_content(f"Dear {PERSON}\n")
    if attached:
        mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename=f"{PERSON}.pdf")
    return mail.as_bytes().replace(b"\n", b"\r\n")


@dataclass
class _Server:
    port: int
    added: int = 0
    expected: dict[str, set[tuple[Any, ...]]] = field(default_factory=dict)

    @contextmanager
    def signed_in(self, account: str) -> Iterator[imaplib.IMAP4]:
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(account, SECRET)
        yield client
        client.logout()

    def seed(self) -> None:
        with self.signed_in("office") as client:
            client.create("Sent")
            client.append("INBOX", "", "", _mail("first", attached=True))  # type: ignore[arg-type]
            client.append("INBOX", "", "", _mail("answer", "first"))  # type: ignore[arg-type]
            client.append("INBOX", "", "", _BOUNCE)  # type: ignore[arg-type]
            client.append("INBOX", "", "", _mail("alone"))  # type: ignore[arg-type]
            client.append("INBOX", "", "", _REPLY)  # type: ignore[arg-type]
            client.append("INBOX", "", "", _COMPLAINT)  # type: ignore[arg-type]
            client.append("Sent", r"\Seen", "", _mail("again", "answer"))  # type: ignore[arg-type]
        with self.signed_in("shop") as client:
            client.append("INBOX", "", "", _mail("first"))  # type: ignore[arg-type]

    def keys(self) -> dict[str, Keys]:
        self.expected = {name: set() for name in _COLUMNS}
        for account in ACCOUNTS:
            with self.signed_in(account) as client:
                for line in client.list()[1]:
                    assert isinstance(line, bytes)
                    self._mailbox(client, account, line.rpartition(b" ")[2].decode().strip('"'))
        return {name: Keys(columns, frozenset(self.expected[name])) for name, columns in _COLUMNS.items()}

    def _mailbox(self, client: imaplib.IMAP4, account: str, mailbox: str) -> None:
        self.expected["mailboxes"].add((account, mailbox))
        client.select(mailbox, readonly=True)
        validity = int((client.response("UIDVALIDITY")[1] or [b""])[0])
        uids = client.uid("SEARCH", "ALL")[1][0].split()
        for uid in uids:
            answer = client.uid("FETCH", uid.decode(), "(BODY.PEEK[])")[1][0]
            self._message((account, mailbox, validity, int(uid)), message_from_bytes(answer[1]))

    def _message(self, key: tuple[Any, ...], message: Message) -> None:
        self.expected["messages"].add(key)
        self.expected["flags"].add(key)
        for position, (name, value) in enumerate(message.items()):
            self.expected["headers"].add((*key, position))
            if role := _ROLES.get(name.lower()):
                self.expected["recipients"] |= {(*key, role, place) for place in range(len(value.split(",")))}
        parts = message.get_payload() if message.is_multipart() else []
        assert isinstance(parts, list)
        for number, part in enumerate(parts, 1):
            if part.get_content_type() != "text/plain":
                self.expected["attachments"].add((*key, str(number)))
            if part.get_content_type() == "text/calendar":
                self.expected["invitations"].add((*key, str(number), "meeting", ""))
            reports = len(re.findall("Final-Recipient", str(part)))
            if part.get_content_type() == "message/feedback-report":
                self.expected["complaints"].add((*key, 0))
            self.expected["bounces"] |= {(*key, position) for position in range(reports)}
        root = {"<answer@contract.example>": "first", "<again@contract.example>": "first"}.get(message["Message-ID"])
        thread = f"{root}@contract.example" if root else message["Message-ID"].strip("<>")
        self.expected["threads"].add((key[0], sha256(thread.encode()).hexdigest()[:24]))

    def add(self) -> Step:
        with self.signed_in("office") as client:
            answer = client.append("INBOX", "", "", _mail("new", attached=True))[1][0]  # type: ignore[arg-type]
        self.added = int(re.findall(rb"APPENDUID \d+ (\d+)", answer)[0])
        return Step(_only(self.added, "new"), [("messages", {"uid": self.added, "message_id": "new@contract.example"})])

    def change(self) -> Step:
        with self.signed_in("office") as client:
            client.select("INBOX")
            client.uid("STORE", str(self.added), "+FLAGS", r"(\Flagged $Important)")
        touched = {"flags": _only(self.added, "new")["flags"]}
        return Step(touched, [("flags", {"uid": self.added, "flagged": True})])

    def delete(self) -> Step:
        with self.signed_in("office") as client:
            client.select("INBOX")
            client.uid("STORE", "4", "+FLAGS", r"\Deleted")
            client.expunge()
        return Step(_only(4, "alone"), gone=[("messages", {"message_id": "alone@contract.example"})])


def _only(uid: int, name: str) -> dict[str, Callable[[Row], bool]]:
    thread = sha256(f"{name}@contract.example".encode()).hexdigest()[:24]
    streams = (
        "messages", "recipients", "headers", "attachments", "flags", "bounces", "complaints", "invitations"
    )  # fmt: skip
    touched: dict[str, Callable[[Row], bool]] = {s: lambda row: _is_inbox(row) and row["uid"] == uid for s in streams}
    return {**touched, "mailboxes": _is_inbox, "threads": lambda row: row["thread_id"] == thread}


def _is_inbox(row: Row) -> bool:
    return (row["account"], row["mailbox"]) == ("office", "INBOX")


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start Dovecot behind a counting proxy."""
    users = dict.fromkeys(ACCOUNTS, SECRET)
    with served(lambda port: start_dovecot(folder, users, port), SIGN_IN) as server:
        system = _Server(server.port)
        system.seed()
        yield World(
            connection={
                "host": {"env": "CONTRACT_EMAIL_HOST"},
                "security": "none",
                "username": "office",
                "password": {"env": "CONTRACT_EMAIL_PASSWORD"},
                "accounts": {"env": "CONTRACT_EMAIL_ACCOUNTS"},
            },
            environment={
                "CONTRACT_EMAIL_HOST": server.url.removeprefix("http://"),
                "CONTRACT_EMAIL_PASSWORD": SECRET,
                "CONTRACT_EMAIL_ACCOUNTS": json.dumps({"shop": SECRET}),
            },
            refused={"CONTRACT_EMAIL_PASSWORD": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
            secrets=[
                base64.b64encode(f"\0{account}\0{password}".encode()).decode()
                for account in ACCOUNTS
                for password in (SECRET, REFUSED)
            ],
        )
