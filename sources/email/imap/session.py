"""One signed-in connection to an IMAP server (RFC 9051, RFC 3501): the few commands that leat uses.

A load only reads; :meth:`Session.append` is for the copies of what leat has sent.

``imapclient`` makes the connection; commands go through its lower level, for what changes are reported by (VANISHED,
RFC 7162) it does not know. Their UID distinguishes answers to FETCH, since a server may send news
in between.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leat.sources.egress import check_host
from leat.sources.email.imap.answers import Items, items_by_uid
from leat.sources.email.imap.failures import asking
from leat.sources.errors import Rejected, UnexpectedShape

if TYPE_CHECKING:
    import ssl

    from imapclient import IMAPClient  # type: ignore[import-untyped]

PORTS = {"tls": 993, "starttls": 143, "none": 143}
MOST_IN_A_LINE = 20_000
"""About how many messages the server is asked to list at a time; a line of an answer has at most a million bytes."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is and how it is spoken to."""

    host: str
    port: int
    security: str
    timeout: float
    tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class Status:
    """What a server says about a mailbox; ``highestmodseq`` is 0 where it has no modification sequences."""

    uidvalidity: int
    uidnext: int
    messages: int
    highestmodseq: int


class Session:
    """A connection, signed in as one account; a context manager that signs out."""

    def __init__(self, integration: str, account: str, address: Address) -> None:
        self.integration = integration
        self.account = account
        self.address = address
        self.rung = "comparison"
        self._client = self._connect()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Sign out and close the connection; a connection that is lost already is no failure."""
        self._client.__exit__(None, None, None)

    def _asking(self, asked: str) -> AbstractContextManager[None]:
        return asking(self.integration, asked, self.address.timeout)

    def _connect(self) -> IMAPClient:
        from imapclient import IMAPClient

        where = self.address
        check_host(self.integration, where.host, encrypted=where.security != "none")
        with self._asking(f"connecting to {where.host}:{where.port} ({where.security})"):
            client = IMAPClient(
                where.host,
                where.port,
                ssl=where.security == "tls",
                ssl_context=where.tls,
                timeout=where.timeout,
            )
            # imaplib sends a password in two pieces, and the second would wait 0.04 s for the first to be acknowledged
            client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client._imap.debug = 0  # it would put a text of each line together, only to drop it
            client._imap._encoding = "latin-1"  # names of mailboxes go back as the bytes they came as
            client.folder_encode = False
            if where.security == "starttls":
                client.starttls(where.tls)
        return client

    def sign_in(self, password: str) -> None:
        """Sign in and switch on what the server has of CONDSTORE and QRESYNC, before any mailbox is opened.

        Raises:
            Unauthenticated: the server refused.
        """
        asked = f"signing in as {self.account}"
        with self._asking(asked):
            offered = self._client.capabilities()
            if b"LOGINDISABLED" in offered and b"AUTH=PLAIN" not in offered:
                got = "the server takes no password over this connection"
                raise Rejected(self.integration, asked, got, "set security: tls or starttls")
            if b"AUTH=PLAIN" in offered:
                self._client.plain_login(self.account, password)
            else:
                self._client.login(self.account, password)
            self._client._cached_capabilities = None  # others are offered once signed in
            offered = self._client.capabilities()
        if b"QRESYNC" in offered or b"CONDSTORE" in offered:
            self.rung = "qresync" if b"QRESYNC" in offered else "condstore"
            if b"ENABLE" in offered:
                with self._asking(f"switching on {self.rung.upper()}"):
                    self._client.enable(self.rung.upper())

    def list_mailboxes(self) -> list[tuple[tuple[bytes, ...], str | None, str]]:
        """Return attributes, delimiter and name of every mailbox; a name is the server's bytes, read as Latin-1."""
        with self._asking(f"listing the mailboxes of {self.account}"):
            folders = self._client.list_folders()
        return [(flags, _text(delimiter) if delimiter else None, _text(name)) for flags, delimiter, name in folders]

    def status(self, name: str) -> Status:
        """Return what the server says about a mailbox without opening it."""
        items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
        items += ["HIGHESTMODSEQ"] if self.rung != "comparison" else []
        with self._asking(f"asking for the status of {name}"):
            return self._status(name, self._client.folder_status(name, items))

    def examine(self, name: str) -> Status:
        """Open a mailbox for reading only; forgets the one that was open."""
        with self._asking(f"opening {name}"):
            answer = self._client.select_folder(name, readonly=True)
        return self._status(name, {**answer, b"MESSAGES": answer.get(b"EXISTS")})

    def _status(self, name: str, answer: dict[bytes, Any]) -> Status:
        numbers = [answer.get(item) for item in (b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES")]
        modseq = answer.get(b"HIGHESTMODSEQ") or 0
        if not all(isinstance(number, int) for number in (*numbers, modseq)):
            got = f"UIDVALIDITY, UIDNEXT and MESSAGES are {numbers}"
            raise UnexpectedShape(self.integration, f"opening {name}", got, "look at the server's log")
        return Status(int(str(numbers[0])), int(str(numbers[1])), int(str(numbers[2])), int(modseq))

    def uids(self, window: tuple[int, int]) -> list[int]:
        """Return the UIDs of the open mailbox from first to last, ascending."""
        first, last = window
        with self._asking("listing the messages"):
            match = self._client.search(["UID", f"{first}:{last}"])
        return sorted(uid for uid in match if first <= uid <= last)

    def find(self, message_id: str) -> list[int]:
        """Return the UIDs in the open mailbox of the messages with this Message-ID, ascending."""
        with self._asking("searching for a message"):
            return sorted(self._client.search(["HEADER", "Message-ID", f"<{message_id}>"]))

    def append(self, name: str, content: bytes, moment: datetime) -> None:
        """Put a message into a mailbox, marked as read; the mailbox is created if it isn't there."""
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError  # type: ignore[import-untyped]

        with self._asking(f"putting a copy into {name}"):
            try:
                self._client.append(name, content, (b"\\Seen",), moment)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                if "TRYCREATE" not in str(error):
                    raise
                self._client.create_folder(name)
                self._client.append(name, content, (b"\\Seen",), moment)

    def fetch(
        self, uids: str, items: Sequence[str], modifier: str = ""
    ) -> tuple[dict[int, dict[bytes, Any]], list[tuple[int, int]]]:
        """Return what the server says about messages by UID, and ranges of UIDs that have vanished.

        Args:
            uids: a set of UIDs, for example ``1:5,7``.
            items: what is asked for.
            modifier: for example ``(CHANGEDSINCE 7 VANISHED)``.
        """
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

        imap = self._client._imap
        words = [uids, f"({' '.join(items)})", *([modifier] if modifier else [])]
        with self._asking("reading messages"):
            imap.untagged_responses.pop("VANISHED", None)
            kind, data = imap.uid("FETCH", *words)
            if kind != "OK":
                raise IMAPClientError(_text(data[0] or b""))
            if imap.state == "LOGOUT":
                msg = "the server said goodbye"
                raise IMAPClientAbortError(msg)
            vanished = imap.untagged_responses.pop("VANISHED", [])
            return self._items(data), list(_ranges(vanished))

    def _items(self, data: list[Any]) -> Items:
        try:
            return items_by_uid(data)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError) as error:
            got = f"an answer that isn't as RFC 9051 says ({type(error).__name__})"
            raise UnexpectedShape(self.integration, "reading messages", got, "look at the server's log") from error


def windows(below: int, messages: int) -> Iterator[tuple[int, int]]:
    """Yield first and last of ranges that cover all UIDs below a limit, each with about as many messages."""
    pieces = -(-messages // MOST_IN_A_LINE)
    step = -(-(below - 1) // max(1, pieces))
    for first in range(1, below, max(1, step)):
        yield first, min(first + step, below) - 1


def _ranges(lines: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each range in VANISHED answers (RFC 7162, section 3.2.10)."""
    for line in lines:
        for piece in _text(line).rpartition(" ")[2].split(","):
            first, _, last = piece.partition(":")
            if first.isdigit() and (last or first).isdigit():
                low, high = sorted((int(first), int(last or first)))
                yield low, high


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
