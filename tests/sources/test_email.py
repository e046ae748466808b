"""What is peculiar to mailboxes: changes made by hand, detected by every rung of the ladder on real servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leat.demo.servers.mail_devel import start_mail_devel
from leat.demo.servers.process import running
from leat.sources.email.imap import driver as imap
from leat.sources.events import Cursor, Event, Rows
from tests.servers.dovecot import start_dovecot
from tests.sources.email_tables import Tables, mail, signed_in

PASSWORD = "planted-Passw0rd-5310"
CONDSTORE = "IMAP4rev1 SASL-IR LITERAL+ ENABLE UIDPLUS MOVE NAMESPACE CONDSTORE"
LOGINS = [f"user{number}@x.example" for number in range(60)]


@dataclass
class Server:
    """A mail server, and the logins that it has."""

    name: str
    port: int
    logins: Iterator[str]

    def new_account(self) -> str:
        return next(self.logins)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    os.environ["EMAIL_TEST_PASSWORD"] = PASSWORD
    users = dict.fromkeys(LOGINS, PASSWORD)
    folders = {name: tmp_path_factory.mktemp(name) for name in ("qresync", "condstore", "comparison")}
    with (
        running(start_dovecot(folders["qresync"], users)) as qresync,
        running(start_dovecot(folders["condstore"], users, capability=CONDSTORE)) as condstore,
        running(start_mail_devel(folders["comparison"], PASSWORD)) as comparison,
    ):
        ports = {"qresync": qresync.port, "condstore": condstore.port, "comparison": comparison.port}
        yield {name: Server(name, port, iter(LOGINS)) for name, port in ports.items()}


@pytest.fixture(params=["qresync", "condstore", "comparison"])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    return servers[request.param]


@pytest.fixture
def dovecot(servers: dict[str, Server]) -> Server:
    return servers["qresync"]


def tables_of(server: Server, folder: Path, **more: Any) -> tuple[str, Tables]:
    account = server.new_account()
    settings = {"host": f"127.0.0.1:{server.port}", "security": "none", "username": account}
    connection = {**settings, "password": {"env": "EMAIL_TEST_PASSWORD"}, **more}
    return account, Tables(imap.Connection.model_validate(connection), folder)


def put(server: Server, account: str, *mails: bytes, mailbox: str = "INBOX") -> None:
    with signed_in(server.port, account, PASSWORD) as client:
        client.create(mailbox)
        for one in mails:
            assert client.append(mailbox, "", "", one)[0] == "OK"  # type: ignore[arg-type]


def fetched(events: list[Event]) -> int:
    return sum(event.table.num_rows for event in events if isinstance(event, Rows) and event.stream == "messages")


def test_each_server_is_read_by_the_best_that_it_offers(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"))
    tables.run()
    assert tables.one("mailboxes", mailbox="INBOX")["changes_by"] == server.name
    tests = list(imap.setup_tests(tables.connection, tables.sync()))
    assert [test.name for test in tests if test.ok] == [
        "reachable",
        "authenticated",
        "may list mailboxes",
        "reports changes",
    ]
    assert server.name in tests[-1].detail


def test_nothing_new_yields_nothing(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"), mail("two"))
    tables.run()
    assert tables.run() == []
    assert tables.run() == []


def test_new_messages_are_fetched_alone_and_none_is_missed_or_doubled(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, *(mail(f"m{n}") for n in range(5)))
    tables.run()
    put(server, account, *(mail(f"m{n}") for n in range(5, 8)))
    assert fetched(tables.run()) == 3
    assert sorted(tables.subjects()) == [f"m{n}" for n in range(8)]
    assert tables.one("mailboxes", mailbox="INBOX")["messages"] == 8


def test_stale_flags_are_refreshed_without_reading_the_message_again(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"), mail("two"))
    tables.run()
    first = tables.table("messages")[0]["uid"]
    with signed_in(server.port, account, PASSWORD) as client:
        client.select("INBOX")
        client.uid("STORE", str(first), "+FLAGS", r"(\Seen \Flagged)")
    assert fetched(tables.run()) == 0
    row = tables.one("flags", uid=first)
    assert (row["seen"], row["flagged"], row["answered"]) == (True, True, False)
    with signed_in(server.port, account, PASSWORD) as client:
        client.select("INBOX")
        client.uid("STORE", str(first), "-FLAGS", r"(\Seen)")
    tables.run()
    assert tables.one("flags", uid=first)["seen"] is False


def test_an_account_that_is_declared_shared_is_marked_so(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    put(dovecot, account, mail("one"))
    tables.run()
    assert tables.one("mailboxes", mailbox="INBOX")["shared"] is False
    tables.connection = tables.connection.model_copy(update={"shared": (account.upper(),)})
    assert fetched(tables.run()) == 0
    assert tables.one("mailboxes", mailbox="INBOX")["shared"] is True
    assert tables.run() == []


def test_keywords_of_ones_own_are_stored(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    put(dovecot, account, mail("one"))
    with signed_in(dovecot.port, account, PASSWORD) as client:
        client.select("INBOX")
        client.uid("STORE", "1", "+FLAGS", r"($Forwarded ToDo \Answered)")
    tables.run()
    row = tables.one("flags")
    assert (row["keywords"], row["answered"]) == ('["$Forwarded","ToDo"]', True)


def test_expunged_messages_vanish_with_all_that_is_theirs(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"), mail("two"), mail("three"))
    tables.run()
    gone = tables.one("messages", subject="two")["uid"]
    with signed_in(server.port, account, PASSWORD) as client:
        client.select("INBOX")
        client.uid("STORE", str(gone), "+FLAGS", r"\Deleted")
        client.expunge()
    assert fetched(tables.run()) == 0
    assert tables.subjects() == ["one", "three"]
    for stream in ("recipients", "headers", "flags"):
        assert tables.table(stream, uid=gone) == []
    assert len(tables.table("threads")) == 2
    assert tables.run() == []


def test_moved_mail_is_in_its_new_mailbox_only(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("stays"), mail("moves"))
    put(server, account, mailbox="Archive")
    tables.run()
    before = tables.one("messages", subject="moves")
    with signed_in(server.port, account, PASSWORD) as client:
        client.select("INBOX")
        client.uid("COPY", str(before["uid"]), "Archive")
        client.uid("STORE", str(before["uid"]), "+FLAGS", r"\Deleted")
        client.expunge()
    tables.run()
    after = tables.one("messages", subject="moves")
    assert after["mailbox"] == "Archive"
    assert (after["message_id"], after["thread_id"]) == (before["message_id"], before["thread_id"])
    assert tables.subjects() == ["stays"]
    assert tables.one("threads", thread_id=after["thread_id"])["mailboxes"] == '["Archive"]'


def test_changed_uidvalidity_reads_that_mailbox_again_and_no_other(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("kept"))
    put(server, account, mail("old"), mail("older"), mailbox="Work")
    tables.run()
    old = tables.table("messages", mailbox="Work")[0]["uidvalidity"]
    with signed_in(server.port, account, PASSWORD) as client:
        client.delete("Work")
    put(server, account, mail("new"), mailbox="Work")
    assert fetched(tables.run()) == 1
    assert "uidvalidity_changed" in tables.logged()
    row = tables.one("messages", mailbox="Work")
    assert (row["subject"], row["uidvalidity"] != old) == ("new", True)
    assert len(tables.table("flags", mailbox="Work")) == 1
    assert tables.subjects() == ["kept"]
    assert tables.run() == []


def test_deleted_and_renamed_mailboxes_take_their_messages_along(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("a"), mailbox="Gone")
    put(server, account, mail("b"), mailbox="Before")
    tables.run()
    with signed_in(server.port, account, PASSWORD) as client:
        client.delete("Gone")
        client.rename("Before", "After")
    tables.run()
    assert {row["mailbox"] for row in tables.table("messages")} == {"After"}
    assert {row["mailbox"] for row in tables.table("mailboxes")} >= {"INBOX", "After"}
    assert not tables.table("mailboxes", mailbox="Gone") + tables.table("mailboxes", mailbox="Before")
    assert len(tables.table("threads")) == 1


def test_mailbox_names_in_modified_utf7_are_read_as_people_see_them(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"), mailbox='"Entw&APw-rfe"')
    put(server, account, mail("two"), mailbox='"R&-D"')
    put(server, account, mail("three"), mailbox='"&ZeVnLIqe-"')
    tables.run()
    names = {row["mailbox"]: row["subject"] for row in tables.table("messages")}
    assert names == {"Entwürfe": "one", "R&D": "two", "日本語": "three"}


def test_odd_names_are_quoted(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    for number, name in enumerate((r"\"with \\\" quote\"", '"NIL"', '"123"', '"a (b) {3}"')):
        put(dovecot, account, mail(f"m{number}"), mailbox=name.replace(r"\"w", '"w').replace(r"e\"", 'e"'))
    tables.run()
    assert {row["mailbox"] for row in tables.table("messages")} >= {"NIL", "123", "a (b) {3}"}
    assert len(tables.table("messages")) == 4


def test_mailboxes_are_chosen_by_name_or_pattern(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path, mailboxes=["INBOX", "Work*"], skip_mailboxes=["*Spam"])
    put(dovecot, account, mail("in"))
    for name in ("Work", "Work/Spam", "Other"):
        put(dovecot, account, mail(name.replace("/", "-")), mailbox=name)
    tables.run()
    assert {row["subject"] for row in tables.table("messages")} == {"in", "Work"}
    tables.connection = tables.connection.model_copy(update={"mailboxes": ("INBOX",)})
    tables.run()
    assert {row["subject"] for row in tables.table("messages")} == {"in"}


def test_nothing_is_marked_as_read(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"))
    tables.run()
    with signed_in(server.port, account, PASSWORD) as client:
        client.select("INBOX", readonly=True)
        assert b"\\Seen" not in client.uid("FETCH", "1:*", "(FLAGS)")[1][0]


def test_a_lost_cache_leads_to_a_full_read_that_differs_in_nothing(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"), mail("Re: one", "In-Reply-To: <one@x.example>"))
    tables.run()
    before = {stream: dict(rows) for stream, rows in tables.rows.items()}
    shutil.rmtree(tmp_path / "cache")
    assert fetched(tables.run()) == 2
    assert tables.rows == before
    assert tables.run() == []


def test_a_cache_that_is_ahead_of_the_cursor_is_not_used(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("one"))
    tables.run()
    put(server, account, mail("two"))
    assert any(isinstance(event, Cursor) for event in imap.extract(tables.connection, tables.sync()))  # never applied
    tables.run()
    assert tables.subjects() == ["one", "two"]
    named = [path for path in (tmp_path / "cache" / "index").iterdir() if path.is_file()]
    assert len(named) == 2, "the one of the old cursor is there until the next run"


def test_threads_follow_references_not_subjects(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(
        server,
        account,
        mail("Invoice", number="a"),
        mail("Invoice", number="b"),
        mail("Another subject", "References: <a@x.example>", number="c"),
        mail("Re: Invoice", "In-Reply-To: <c@x.example>", number="d"),
    )
    tables.run()
    threads = {row["message_id"][0]: row["thread_id"] for row in tables.table("messages")}
    assert threads["a"] == threads["c"] == threads["d"] != threads["b"]
    assert tables.one("threads", thread_id=threads["a"])["messages"] == 3


def test_a_late_message_joins_two_threads(server: Server, tmp_path: Path) -> None:
    account, tables = tables_of(server, tmp_path)
    put(server, account, mail("root", number="a"), mail("leaf", "In-Reply-To: <b@x.example>", number="c"))
    tables.run()
    assert len({row["thread_id"] for row in tables.table("messages")}) == 2
    put(server, account, mail("between", "In-Reply-To: <a@x.example>", number="b"), mailbox="Sent")
    tables.run()
    (thread,) = {row["thread_id"] for row in tables.table("messages")}
    assert tables.one("threads")["messages"] == 3
    assert tables.one("threads")["thread_id"] == thread
    assert tables.run() == []


def test_references_in_a_circle_end(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    put(
        dovecot,
        account,
        mail("a", "References: <b@x.example> <a@x.example>", number="a"),
        mail("b", "References: <a@x.example> <b@x.example>", number="b"),
        mail("self", "In-Reply-To: <s@x.example>", number="s"),
    )
    tables.run()
    assert len(tables.table("threads")) == 2


def test_the_same_message_in_two_mailboxes_is_two_rows_and_counts_once(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    put(dovecot, account, mail("one"))
    put(dovecot, account, mail("one"), mailbox="Copy")
    tables.run()
    assert len(tables.table("messages", message_id="one@x.example")) == 2
    assert tables.one("threads")["messages"] == 1


def test_several_accounts_are_read_with_their_own_passwords_and_forgotten(
    dovecot: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, tables = tables_of(dovecot, tmp_path)
    second = dovecot.new_account()
    put(dovecot, first, mail("one"))
    put(dovecot, second, mail("two"))
    alone = tables.connection
    named = [{"username": second, "password": {"env": "EMAIL_TEST_PASSWORD"}}]
    tables.connection = imap.Connection.model_validate({**alone.model_dump(exclude_defaults=True), "accounts": named})
    tables.run()
    assert {(row["account"], row["subject"]) for row in tables.table("messages")} == {(first, "one"), (second, "two")}
    assert tables.run() == []
    tables.connection = alone
    tables.run()
    assert {row["account"] for stream in tables.rows for row in tables.table(stream)} == {first}
    monkeypatch.setenv("EMAIL_TEST_ACCOUNTS", f'{{"{second}": "{PASSWORD}"}}')
    named_by_env = {"accounts": {"env": "EMAIL_TEST_ACCOUNTS"}}
    tables.connection = imap.Connection.model_validate({**alone.model_dump(exclude_defaults=True), **named_by_env})
    tables.run()
    assert {row["account"] for row in tables.table("messages")} == {first, second}


def test_attachments_are_stored_by_their_hash(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path, attachments="files")
    attached = mail("with file", "MIME-Version: 1.0", "Content-Type: application/pdf; name=a.pdf", body="%PDF-1.7")
    put(dovecot, account, attached)
    tables.run()
    row = tables.one("attachments")
    path = tmp_path / "files" / row["stored_as"]
    assert path.read_bytes().startswith(b"%PDF-1.7")
    assert (path.name, path.stat().st_mode & 0o777) == (row["sha256"], 0o600)


def test_attachments_are_on_the_disk_before_the_rows_that_name_them(
    dovecot: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk, fsync = set(), os.fsync

    def seen(descriptor: int) -> None:
        fsync(descriptor)
        on_disk.add(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", seen)
    account, tables = tables_of(dovecot, tmp_path, attachments="new/files")
    head = ("MIME-Version: 1.0", "Content-Type: application/pdf; name=a.pdf")
    put(dovecot, account, mail("one", *head, body="%PDF-1.7"), mail("two", *head, body="%PDF-1.8"))
    names: set[Path] = set()
    for event in imap.extract(tables.connection, tables.sync()):
        if isinstance(event, Rows) and event.stream == "attachments":
            names |= {tmp_path / "new" / "files" / name for name in event.table["stored_as"].to_pylist()}
        if isinstance(event, Cursor):
            break  # with the cursor the rows are applied
    assert len(names) == 2
    folders = {path.parent for path in names} | {tmp_path / "new" / "files", tmp_path / "new", tmp_path}
    assert names | folders <= on_disk


def test_of_a_message_beyond_the_limit_only_the_beginning_is_read(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path, max_bytes=20_000)
    parts = "--b\r\nContent-Type: text/plain\r\n\r\nThe text\r\n--b\r\nContent-Type: image/png\r\n\r\n" + "x" * 60_000
    large = mail("large", "Content-Type: multipart/mixed; boundary=b", body=f"{parts}\r\n--b--")
    put(dovecot, account, large, mail("small"))
    tables.run()
    row = tables.one("messages", subject="large")
    assert (row["truncated"], row["text"], row["size"] > 60_000) == (True, "The text", True)
    attachment = tables.one("attachments")
    assert (attachment["size"], attachment["sha256"]) == (None, None)
    assert tables.one("messages", subject="small")["truncated"] is False


def test_only_headers_are_fetched_when_bodies_are_not_selected(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    tables.streams = frozenset({"headers", "flags", "threads"})
    put(dovecot, account, mail("one"), mail("two", "In-Reply-To: <one@x.example>"))
    tables.run()
    assert len(tables.table("headers", field="subject")) == 2
    assert tables.one("threads")["messages"] == 2
    tables.streams = frozenset(tables.rows)
    tables.run()
    assert sorted(tables.subjects()) == ["one", "two"]


def test_many_messages_come_in_batches(dovecot: Server, tmp_path: Path) -> None:
    account, tables = tables_of(dovecot, tmp_path)
    put(dovecot, account, *(mail(f"m{number}") for number in range(620)))
    tables.run()
    assert len(tables.table("messages")) == len(tables.table("flags")) == 620
