"""A server that answers IMAP commands from a script: for oddities that no server at hand shows."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[str], bytes | None]


@contextlib.contextmanager
def scripted(answer: Answer) -> Iterator[int]:
    """Serve on a port of 127.0.0.1 until the block ends; gives the port.

    ``answer`` gets a command without its tag and returns what comes before the tagged OK; None cuts the connection, and
    an answer that begins with ``NO`` or ``BAD`` is the tagged one.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, answer), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_talk, args=(client, answer), daemon=True).start()


def _talk(client: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError), client, client.makefile("rwb") as stream:
        stream.write(b"* OK ready\r\n")
        stream.flush()
        while line := stream.readline():
            tag, _, command = line.decode("latin-1").strip().partition(" ")
            said = answer(command)
            if said is None:
                return
            refused = re.match(rb"(NO|BAD)\b", said)
            stream.write(tag.encode() + b" " + said + b"\r\n" if refused else said + tag.encode() + b" OK done\r\n")
            stream.flush()


def mailbox_of(*answers: tuple[str, bytes | None]) -> Answer:
    """Return a script for one INBOX with UIDs below 4; the first pattern that a command matches is answered."""
    usual: tuple[tuple[str, bytes | None], ...] = (
        ("CAPABILITY", b"* CAPABILITY IMAP4rev1\r\n"),
        ("LOGOUT", b"* BYE\r\n"),
        ("LIST", b'* LIST () "/" INBOX\r\n'),
        ("STATUS", b"* STATUS INBOX (MESSAGES 2 UIDNEXT 4 UIDVALIDITY 9)\r\n"),
        ("EXAMINE", b"* FLAGS (\\Seen)\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 4] x\r\n"),
        ("UID FETCH 1:3 .UID FLAGS.$", b"* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 3 FLAGS (\\Seen))\r\n"),
        (
            "INTERNALDATE",
            b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "10-Mar-2026 10:00:00 +0100" RFC822.SIZE 20)\r\n'
            b'* 2 FETCH (UID 3 FLAGS (\\Seen) INTERNALDATE "10-Mar-2026 10:00:00 +0100" RFC822.SIZE 20)\r\n',
        ),
        (
            "BODY",
            b"* 1 FETCH (UID 1 BODY[] {14}\r\nSubject: one\r\n)\r\n"
            b"* 2 FETCH (BODY[] {14}\r\nSubject: two\r\n UID 3)\r\n",
        ),
        ("", b""),
    )
    return lambda command: next(said for pattern, said in (*answers, *usual) if re.search(pattern, command))
