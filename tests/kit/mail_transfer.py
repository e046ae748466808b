"""A mail server that fails as a test wants: SMTP by aiosmtpd, delivery by IMAP into the mailboxes of Dovecot.

No real server cuts a connection at a given moment. What is sent, and what is counted, is at real servers.
"""

from __future__ import annotations

import asyncio
import email
import imaplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from leat.demo.servers.process import free_port, running
from tests.servers.dovecot import start_dovecot

PASSWORD = "planted-Passw0rd-8842"
SHOP, ANN, BOB = "shop@x.example", "ann@x.example", "bob@x.example"
LOGINS = (SHOP, ANN, BOB)


@dataclass
class Server:
    """The mail server.

    Attributes:
        imap: port of IMAP.
        smtp: port of SMTP.
        faults: what happens to the next mails, first to last: ``cut`` delivers it and cuts the connection, ``lost``
            cuts the connection and delivers nothing, ``hold`` delivers it and doesn't answer; else the answer to its
            recipient, such as ``451 busy``, or with ``DATA`` before it to its content.
        senders: the sender of each mail that was delivered.
    """

    imap: int
    smtp: int
    faults: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.faults and self.faults[0][:1] in "45" and address == ANN:
            return self.faults.pop(0)
        if not address.endswith("@x.example"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        fault = self.faults.pop(0) if self.faults else ""
        if fault.startswith("DATA "):
            return fault[5:]
        if fault != "lost":
            await asyncio.to_thread(self._deliver, envelope.rcpt_tos, envelope.content)
            self.senders.append(envelope.mail_from)
        if fault in ("cut", "lost"):
            server.transport.abort()
        if fault == "hold":
            self.held.set()
            await asyncio.sleep(30)
        return "250 accepted"

    def _deliver(self, recipients: list[str], content: bytes) -> None:
        for each in recipients:
            with self.signed_in(each) as client:
                assert client.append("INBOX", "", "", content)[0] == "OK"  # type: ignore[arg-type]

    @contextmanager
    def signed_in(self, account: str) -> Iterator[imaplib.IMAP4]:
        client = imaplib.IMAP4("127.0.0.1", self.imap)
        client.login(account, PASSWORD)
        yield client
        client.logout()

    def mails(self, account: str, message_id: str = "", mailbox: str = "INBOX") -> list[EmailMessage]:
        """Return the mails in a mailbox; only those with the Message-ID if one is given."""
        with self.signed_in(account) as client:
            if client.select(mailbox, readonly=True)[0] != "OK":
                return []
            criteria = ("HEADER", "Message-ID", f"<{message_id}>") if message_id else ("ALL",)
            numbers = client.search(None, *criteria)[1][0].split()
            raw = [client.fetch(number.decode(), "(RFC822)")[1][0][1] for number in numbers]  # type: ignore[index]
        return [email.message_from_bytes(each, policy=default) for each in raw]  # type: ignore[misc]

    def connection(self, **send: Any) -> dict[str, Any]:
        """Return a connection to it, with the environment variable ``MAIL_PASSWORD`` for every account."""
        password = {"env": "MAIL_PASSWORD"}
        sending = {"host": f"127.0.0.1:{self.smtp}", "security": "none", "from": f"The Shop <{SHOP}>", "settle": 0}
        return {
            "host": f"127.0.0.1:{self.imap}",
            "security": "none",
            "accounts": [{"username": SHOP, "password": password}],
            "timeout": 5,
            "send": {**sending, **send},
        }


@contextmanager
def mail_server(folder: Path) -> Iterator[Server]:
    """Run a mail server with a few accounts."""
    with running(start_dovecot(folder, dict.fromkeys(LOGINS, PASSWORD))) as dovecot:
        server = Server(dovecot.port, free_port())
        controller = Controller(server, "127.0.0.1", server.smtp, ready_timeout=30)
        controller.start()
        try:
            yield server
        finally:
            controller.stop()
