"""Odd and hostile messages: each gives rows or is refused by itself, in bounded time, and never by another error."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from leat.demo.servers.process import running
from leat.sources.email.imap import driver as imap
from leat.sources.email.rows import Fetched, Unreadable, read_message
from leat.sources.email.streams import OF_A_MESSAGE
from leat.sources.errors import NotConfigured
from leat.sources.events import Failed, FullScan, Listed
from tests.servers.dovecot import start_dovecot
from tests.sources.email_messages import KEY, multipart, part, read, with_head
from tests.sources.email_scripted import mailbox_of, scripted
from tests.sources.email_tables import Tables, mail, signed_in

PASSWORD = "planted-Passw0rd-7734"
SEEDS = [
    with_head(
        'From: "A, B" <a@x.example>', "To: =?utf-8?Q?C=C3=A9?= <c@x.example>, d@x.example", "Cc: G: e@x.example;",
        "Subject: =?gb2312?B?xOO6ww==?= x", "Date: Tue, 12 May 2026 12:00:00 +0200 (CEST)", "Message-ID: <1@x.example>",
        "References: <0@x.example> <00@x.example>", "Authentication-Results: mx; spf=pass (x)",
    ),
    multipart(
        part("Content-Type: text/plain; charset=iso-2022-jp", body=b"\x1b$BF|K\\\x1b(B"),
        part("Content-Type: text/html; charset=utf-16", body="<p>é</p>".encode("utf-16")),
        part("Content-Type: application/pdf; name*0*=utf-8''a%C3; name*1*=%A9",
             "Content-Disposition: attachment; filename=\"=?utf-8?Q?a?=\"; filename*=utf-8''%C3%A9",
             "Content-Transfer-Encoding: base64", body=b"QUJD"),
        part("Content-Type: message/rfc822", body=with_head("Subject: in", "From: x")),
    ),
    multipart(
        part("Content-Type: message/delivery-status",
             body=b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@x\r\nStatus: 5.1.1 (x)\r\nAction: no\r\n"),
        part("Content-Type: message/global-headers", body=with_head("Message-ID: <2@x.example>")),
        kind="report",
    ),
]  # fmt: skip
PIECES = [*b"\"()<>@;:,*%'\\ \t\n\x00\x80\xff".decode("latin-1"), "=?", "?=", "=?utf-8?Q?", "=?x?b?", "\r\n",
          "\r\n\r\n", "--b", "--b--", "*0*=", "\xed\xa0\x80", "charset=", "boundary=",
          "Content-Type: multipart/digest\r\n", "Content-Type: message/rfc822\r\n"]  # fmt: skip
CHARSETS = ("undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "hex", "zip", "charmap",
            "mbcs", "oem", "utf-7", "utf-32", "cp65001", "hz", "iso-2022-kr", "a" * 300, "\x00", "../x",
            "ütf")  # fmt: skip


def mutated(count: int) -> Iterator[bytes]:
    """Yield messages of the seeds with pieces put in, taken out and put in another place, the same each time."""
    dice = random.Random(11)  # noqa: S311 - the same each time
    pieces = [piece.encode("latin-1") for piece in PIECES]
    for number in range(count):
        raw = bytearray(SEEDS[number % len(SEEDS)])
        for _ in range(dice.randint(1, 6)):
            at, length = dice.randrange(len(raw) + 1), dice.randint(0, 12)
            more = dice.choice(pieces) * dice.randint(2, 30)
            what = dice.choice([b"", dice.choice(pieces), more, bytes(raw[:length])])
            raw[at : at + dice.choice([0, length])] = what
        yield bytes(raw)


def test_mutated_messages_give_rows() -> None:
    for raw in mutated(600):
        read(raw)
        read(raw[: len(raw) // 2], complete=False)


@pytest.mark.parametrize("charset", CHARSETS)
def test_charsets_that_are_none_stop_nothing(charset: str) -> None:
    body = b"+AGEA \xff\xfe\x1b$B$" + b"xn--a-b" * 50
    for head in (
        f"Content-Type: text/plain; charset={charset}",
        f"Content-Type: text/html; charset*={charset}''{charset}",
    ):
        read(with_head(f"Subject: =?{charset}?Q?a=FFb?= =?{charset}?B?/w==?=", head, body=body))


HUGE = {
    "punycode body": with_head("Content-Type: text/plain; charset=punycode", body=b"a-" + b"b" * 400_000),
    "parts without end": multipart(*[b""] * 60_000),
    "parts in digests": multipart(*[b"\r\n\r\n"] * 30_000, kind="digest"),
    "parts with unix lines": multipart(*[b""] * 60_000).replace(b"\r\n", b"\n"),
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000)),
    "nested attachments": b"".join(
        b"Content-Disposition: attachment\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(300)
    ),
    "header lines": b"".join(b"X-%d: y\r\n" % n for n in range(200_000)) + b"\r\nbody",
    "one long header": with_head("Subject: " + "=?utf-8?Q?a?= " * 200_000, "From: " + "a@b.example, " * 100_000),
    "folded": with_head("To: " + "a@b.example,\r\n " * 50_000),
    "no line end": b"x" * 3_000_000,
    "NUL": b"\x00" * 1_000_000,
    "references": with_head("References: " + "<a@b.example>\r\n " * 100_000),
    "parameters": with_head("Content-Type: text/plain" + "; a*0*=b" * 100_000),
    "comments": with_head("Date: " + "(" * 200_000, "Content-Type: text/plain" + "(" * 100_000),
    "words of HTML": with_head("Content-Type: text/html", body=b"<![nonsense[" + b"<" * 200_000),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_messages_take_bounded_time(name: str) -> None:
    began = process_time()
    actual = read(HUGE[name])
    assert process_time() - began < 6
    assert len(actual.rows) < 5_000


@pytest.mark.parametrize(
    "error", [RecursionError("secret"), LookupError("secret"), UnicodeError("secret"), MemoryError()]
)
def test_what_cannot_be_read_says_which_part_and_no_value(error: Exception) -> None:
    def store(_content: bytes) -> str:
        raise error

    raw = multipart(part("Content-Type: image/png"))
    with pytest.raises(Unreadable) as raised:
        read_message(Fetched(KEY, raw, len(raw), datetime(2026, 5, 12, tzinfo=UTC), True), store)
    assert str(raised.value) == f"attachment 1 can't be read ({type(error).__name__})"


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_message(tmp_path: Path) -> None:
    (tmp_path / "attachments").write_text("a file")
    body = b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n" % (len(SEEDS[1]), SEEDS[1])
    with scripted(mailbox_of(("BODY", body))) as port:
        tables = declared(port, tmp_path, attachments="attachments")
        with pytest.raises(NotConfigured, match="storing an attachment"):
            tables.run()


def declared(port: int, folder: Path, **more: Any) -> Tables:
    connection = {"host": f"127.0.0.1:{port}", "security": "none", "username": "odd", "timeout": 20}
    connection["password"] = {"env": "EMAIL_TEST_PASSWORD"}
    return Tables(imap.Connection.model_validate({**connection, **more}), folder)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_TEST_PASSWORD", PASSWORD)


def test_healthy_neighbours_of_odd_messages_are_loaded(tmp_path: Path) -> None:
    odd = [raw for raw in mutated(30) if b"\x00" not in raw]
    odd += [HUGE[name][:300_000] for name in ("nested", "header lines", "parts without end", "comments")]
    with running(start_dovecot(tmp_path / "dovecot", {"odd": PASSWORD})) as server:
        with signed_in(server.port, "odd", PASSWORD) as client:
            for number, raw in enumerate(odd):
                client.append("INBOX", "", "", raw)  # type: ignore[arg-type]
                client.append("INBOX", "", "", mail(f"healthy {number}"))  # type: ignore[arg-type]
        tables = declared(server.port, tmp_path)
        tables.run()
    actual = {row["subject"] for row in tables.table("messages")}
    assert {f"healthy {number}" for number in range(len(odd))} <= actual
    assert len(tables.table("messages")) + len(tables.quarantined()) == 2 * len(odd)


NO = b"NO [SERVERBUG] internal error"
"""What a server says that stumbles over one message."""


def test_a_message_that_the_server_stumbles_over_is_quarantined_alone(tmp_path: Path) -> None:
    first = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "10-Mar-2026 10:00:00 +0100" RFC822.SIZE 20)\r\n'
    for script in (
        [
            ("UID FETCH 3 .*INTERNALDATE", NO),
            ("UID FETCH 1 .*INTERNALDATE", first),
            ("UID FETCH 1,3 .*INTERNALDATE", NO),
        ],
        [("UID FETCH 1,3 .*BODY", NO), ("UID FETCH 3 .*BODY", NO)],
        [
            ("UID FETCH 1,3 .*BODY", b"* 1 FETCH (UID 1 BODY[] (((\r\n"),
            ("UID FETCH 3 .*BODY", b"* 2 FETCH (UID x)) BODY\r\n"),
            ("UID SEARCH", b"* SEARCH 3\r\n"),
        ],
    ):
        with scripted(mailbox_of(*script)) as port:
            tables = declared(port, tmp_path / str(port))
            tables.run()
            assert tables.subjects() == ["one"]
            (event,) = tables.quarantined()
            assert event.key == "odd/INBOX/3"


def test_a_mailbox_that_fails_alone_stops_no_other(tmp_path: Path) -> None:
    listing = b'* LIST () "/" INBOX\r\n* LIST () "/" bad\r\n'
    answers = ((b"NO [INUSE] locked", 1), (NO, 1), (b"* OK no UIDVALIDITY\r\n", 1), (b"NO no", 0))
    for answer, failures in answers:
        with scripted(mailbox_of(("LIST", listing), ("EXAMINE .*bad", answer))) as port:
            tables = declared(port, tmp_path / str(port))
            tables.run()
            assert tables.subjects() == ["one", "two"]
            assert tables.logged() == ["mailbox_not_read"]
            assert [event.where for event in tables.events if isinstance(event, Failed)] == [
                {"account": "odd", "mailbox": "bad"}
            ] * failures
            assert list(tables.cursor["accounts"]["odd"]["mailboxes"]) == ["INBOX"]


def test_a_listing_that_was_cut_off_deletes_nothing(tmp_path: Path) -> None:
    cut = False
    listed = mailbox_of()

    def answer(command: str) -> bytes | None:
        if cut and "UID FETCH 1:3 (UID FLAGS)" in command:
            return b"* 1 FETCH (UID 1 FLAGS ())\r\n"
        return listed(command)

    with scripted(answer) as port:
        tables = declared(port, tmp_path)
        tables.run()
        cut = True
        with pytest.raises(Exception, match="1 messages, while the server counts 2"):
            tables.run()
        cut = False
        tables.run()
    assert tables.subjects() == ["one", "two"]


def test_every_listing_says_what_proved_it(tmp_path: Path) -> None:
    with scripted(mailbox_of()) as port:
        events = declared(port, tmp_path).run()
    because = {event.stream: event.because for event in events if isinstance(event, FullScan | Listed)}
    assert because["mailboxes"] == "the server ended LIST with OK after 1 mailboxes"
    assert because["messages"] == "the server ended the FETCH of each of 1 mailboxes up to UIDNEXT with OK"
    assert set(because) == {"mailboxes", *OF_A_MESSAGE}
