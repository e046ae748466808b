"""What a mail server may do wrong: each fault is one class of error, and none makes the driver lose or invent a row."""

from __future__ import annotations

import imaplib
import ipaddress
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from leat.demo.servers.process import free_port, running
from leat.sources.email.imap import driver as imap
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.events import Cursor, Rows
from tests.kit.proxy import Proxy, proxy
from tests.servers.dovecot import Tls, set_users, start_dovecot
from tests.sources.email_scripted import mailbox_of, scripted
from tests.sources.email_tables import Tables, mail, signed_in

PASSWORD = "planted-Passw0rd-7734"
USERS = {f"user{number}": PASSWORD for number in range(12)}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_TEST_PASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dovecot")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Tls:
    """Make a self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.x.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate").write_bytes(signed.public_bytes(pem))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key").write_bytes(key.private_bytes(pem, *plain))
    return Tls(free_port(), folder / "certificate", folder / "key")


@pytest.fixture(scope="module")
def port(folder: Path, certificate: Tls) -> Iterator[int]:
    with running(start_dovecot(folder, USERS, tls=certificate)) as process:
        yield process.port


def account(port: int, folder: Path, user: str = "user0", **more: Any) -> Tables:
    connection = {"host": f"127.0.0.1:{port}", "security": "none", "username": user}
    connection |= {"password": {"env": "EMAIL_TEST_PASSWORD"}, "timeout": 5}
    return Tables(imap.Connection.model_validate({**connection, **more}), folder)


def put(port: int, user: str, *mails: bytes) -> None:
    with signed_in(port, user, PASSWORD) as client:
        for one in mails:
            client.append("INBOX", "", "", one)  # type: ignore[arg-type]


def test_a_self_signed_certificate_is_refused_in_clear_words(port: int, certificate: Tls, tmp_path: Path) -> None:
    for security, where in (("tls", certificate.port), ("starttls", port)):
        with pytest.raises(Rejected, match="certificate isn't valid: self-signed certificate") as raised:
            account(where, tmp_path, security=security).run()
        assert "connection.authorities" in raised.value.next_step


def test_a_certificate_of_a_named_authority_is_accepted(port: int, certificate: Tls, tmp_path: Path) -> None:
    for security, where in (("tls", certificate.port), ("starttls", port)):
        tables = account(where, tmp_path / security, security=security, authorities=str(certificate.certificate))
        tables.run()
        assert [row["mailbox"] for row in tables.table("mailboxes")] == ["INBOX"]


def test_a_certificate_for_another_name_is_refused(certificate: Tls, port: int, tmp_path: Path) -> None:
    tables = account(certificate.port, tmp_path, security="tls", authorities=str(certificate.certificate))
    tables.connection = tables.connection.model_copy(update={"host": f"localhost:{certificate.port}"})
    with pytest.raises(Rejected, match="certificate isn't valid"):
        tables.run()


def test_tls_where_none_is_spoken_is_said_so(port: int, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no TLS is spoken there"):
        account(port, tmp_path, security="tls").run()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "mail:seven"}, "host:port"),
        ({"username": None}, "connection.accounts"),
        ({"accounts": {"env": "EMAIL_TEST_PASSWORD"}}, "JSON object|"),
        ({"security": {"env": "EMAIL_TEST_PASSWORD"}}, "tls, starttls or none"),
        ({"security": "tls", "authorities": "nowhere.pem"}, "PEM file"),
        ({"username": None, "accounts": {"env": "EMAIL_NOT_SET"}}, "EMAIL_NOT_SET"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=words) as raised:
        account(1, tmp_path, **settings).run()
    assert PASSWORD not in str(raised.value) or "security" in settings


def test_stopped_server_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Next: start the server"):
        account(free_port(), tmp_path).run()


def test_a_server_that_does_not_answer_is_timed_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimedOut, match="or raise connection"):
        account(silent.getsockname()[1], tmp_path, timeout=0.3).run()


def test_a_cut_connection_loses_nothing_and_claims_nothing(port: int, tmp_path: Path) -> None:
    put(port, "user1", *(mail(f"m{number}", body="x" * 20_000) for number in range(20)))
    with proxy(port) as between:
        tables = account(between.port, tmp_path, "user1")
        cuts = [left for left in range(40, 2_000, 30) if _is_cut(tables, between, left)]
        between.left = None
        tables.run()
    assert len(cuts) > 5
    assert len(tables.table("messages")) == 20
    assert len(list((tmp_path / "cache").iterdir())) == 1, "what the cut runs wrote is removed"


def _is_cut(tables: Tables, between: Proxy, left: int) -> bool:
    """Run with so many bytes to send, unless a run came to its end before; nothing of a cut run is applied."""
    if tables.cursor is not None:
        return False
    between.left = left
    try:
        tables.run()
    except Unavailable:
        assert tables.cursor is None
        return True
    return False


def test_a_password_revoked_in_mid_run_applies_nothing(folder: Path, port: int, tmp_path: Path) -> None:
    """The second account is signed in ahead at the earliest when the first has been read."""
    put(port, "user2", mail("one"))
    second = {"accounts": [{"username": "user3", "password": {"env": "EMAIL_TEST_PASSWORD"}}]}
    tables = account(port, tmp_path, "user2", **second)
    events = imap.extract(tables.connection, tables.sync())
    seen = [next(events)]
    while not isinstance(seen[-1], Rows):
        seen.append(next(events))
    try:
        set_users(folder, {user: password for user, password in USERS.items() if user != "user3"})
        _wait_until_refused(port, "user3")
        with pytest.raises(Unauthenticated, match="signing in as user3"):
            seen += events
    finally:
        set_users(folder, USERS)
    assert not any(isinstance(event, Cursor) for event in seen)


def _wait_until_refused(port: int, user: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with signed_in(port, user, PASSWORD):
                pass
        except imaplib.IMAP4.error:
            return
    pytest.fail("the server goes on accepting the password")


def test_a_refused_password_is_not_shown(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_TEST_PASSWORD", "planted-wr0ng-8812")
    with pytest.raises(Unauthenticated, match="check username and password") as raised:
        account(port, tmp_path).run()
    assert "planted" not in str(raised.value)
    tests = list(imap.setup_tests(account(port, tmp_path).connection, account(port, tmp_path).sync()))
    assert [(test.name, test.ok) for test in tests] == [("reachable", True), ("authenticated", False)]


def test_passwords_with_odd_characters_work(
    folder: Path, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = 'pä"ss\\wörd {5} ✓'
    monkeypatch.setenv("EMAIL_TEST_PASSWORD", odd)
    with running(start_dovecot(tmp_path / "server", {"odd": odd})) as server:
        account(server.port, tmp_path, "odd").run()


def test_a_message_that_cannot_be_fetched_is_quarantined_alone(tmp_path: Path) -> None:
    answers = mailbox_of(
        (r"UID FETCH 1,3 .*BODY", b"NO [SERVERBUG] internal error"), (r"UID FETCH 1 .*BODY", b"NO cannot read it"),
        (r"UID FETCH 3 .*BODY", b"* 2 FETCH (UID 3 BODY[] {14}\r\nSubject: two\r\n)\r\n"),
    )  # fmt: skip
    with scripted(answers) as odd:
        tables = account(odd, tmp_path / "odd", "user4")
        tables.run()
        assert tables.subjects() == ["two"]
        (bad,) = tables.quarantined()
        assert (bad.key, "cannot read it" in bad.reason) == ("user4/INBOX/1", True)
        assert tables.run() == [], "it isn't tried again in each run"


def test_literals_quoted_strings_nil_and_other_news_in_answers(tmp_path: Path) -> None:
    odd_body = (
        b'* 1 FETCH (FLAGS (\\Seen))\r\n* 7 EXISTS\r\n* 1 FETCH (BODY[] "Subject: q\\"uoted" UID 1)\r\n'
        b"* 5 FETCH (UID 99 FLAGS ())\r\n* 2 FETCH (UID 3 BODY[] NIL)\r\n* OK [ALERT] so what\r\n"
    )
    listing = b'* LIST () "/" {5}\r\nINBOX\r\n* LIST (\\Noselect) NIL "folder"\r\n* LIST () "/" {7}\r\nbad\r\nna\r\n'
    with scripted(mailbox_of(("BODY", odd_body), ("LIST", listing))) as odd:
        tables = account(odd, tmp_path)
        tables.run()
        assert tables.subjects() == ['q"uoted', None]
        names = {row["mailbox"]: row["selectable"] for row in tables.table("mailboxes")}
        assert names == {"INBOX": True, "folder": False}
        assert tables.table("flags", seen=True)[0]["uid"] == 3
        assert tables.run() == []


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("LOGIN", b"NO [UNAVAILABLE] later", Unavailable),
        ("LOGIN", b"NO [LIMIT] too many", RateLimited),
        ("LOGIN", b"NO [EXPIRED] change it", Unauthenticated),
        ("LOGIN", b"NO [CONTACTADMIN] blocked", Forbidden),
        ("LOGIN", b"NO [PRIVACYREQUIRED] not here", NotConfigured),
        ("LOGIN", b"NO whatever", Unauthenticated),
        ("LIST", b"NO no list", Rejected),
        ("LIST", b"BAD what", Rejected),
        ("LIST", b"* LIST (((((\r\n", UnexpectedShape),
        ("EXAMINE", b"* 2 EXISTS\r\n", UnexpectedShape),
        ("UID FETCH", b"NO [LIMIT] slow down", RateLimited),
        ("UID FETCH", None, Unavailable),
        ("UID FETCH", b"* BYE shutting down\r\n", Unavailable),
        ("CAPABILITY", b"HTTP/1.1 400 Bad Request\r\n", Unavailable),
    ],
)
def test_answers_are_one_class_of_error(
    command: str, answer: bytes | None, error: type[IntegrationError], tmp_path: Path
) -> None:
    with scripted(mailbox_of((command, answer))) as odd:
        tables = account(odd, tmp_path)
        with pytest.raises(error) as raised:
            tables.run()
        assert type(raised.value) is error
        assert PASSWORD not in str(raised.value)


def test_a_mailbox_that_cannot_be_opened_leaves_its_rows_and_is_reported_once(tmp_path: Path) -> None:
    state: list[tuple[str, bytes]] = []
    with scripted(lambda command: mailbox_of(*state)(command)) as odd:  # noqa: PLW0108 - the state changes
        tables = account(odd, tmp_path)
        tables.run()
        state.append(("EXAMINE", b"NO [NOPERM] not yours"))
        tables.run()
        assert tables.logged() == ["mailbox_not_read"]
        assert sorted(tables.subjects()) == ["one", "two"]
        assert tables.run() == []


def test_a_missing_report_is_noticed_by_the_count_of_messages(tmp_path: Path) -> None:
    """A server that forgets to say what vanished: the count differs, and everything is compared."""
    examine = b"* %d EXISTS\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 4] x\r\n* OK [HIGHESTMODSEQ %d] x\r\n"
    state: list[tuple[str, bytes | None]] = [
        ("CAPABILITY", b"* CAPABILITY IMAP4rev1 ENABLE QRESYNC\r\n"),
        ("ENABLE", b"* ENABLED QRESYNC\r\n"),
        ("CHANGEDSINCE", b""),
        ("EXAMINE", examine % (2, 5)),
    ]
    with scripted(lambda command: mailbox_of(*state)(command)) as odd:  # noqa: PLW0108 - the state changes
        tables = account(odd, tmp_path)
        tables.run()
        state[-1] = ("EXAMINE", examine % (1, 6))
        state += [
            ("STATUS", b"* STATUS INBOX (MESSAGES 1 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ 6)\r\n"),
            ("UID FETCH 1:3 .UID FLAGS.$", b"* 1 FETCH (UID 3 FLAGS (\\Seen))\r\n"),
        ]
        tables.run()
        assert tables.subjects() == ["two"]
        assert tables.logged() == ["mailbox_out_of_step"]


def test_a_mailbox_that_suddenly_is_not_named_is_gone_and_none_at_all_is_an_error(port: int, tmp_path: Path) -> None:
    tables = account(port, tmp_path, "user5", mailboxes=["Nowhere"])
    with pytest.raises(NotFound, match="none of them is there"):
        tables.run()


def test_a_damaged_cache_is_as_good_as_none(port: int, tmp_path: Path) -> None:
    put(port, "user6", mail("one"))
    tables = account(port, tmp_path, "user6")
    tables.run()
    (cache,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    cache.write_bytes(cache.read_bytes()[:100])
    tables.run()
    assert tables.subjects() == ["one"]
    assert tables.run() == []
