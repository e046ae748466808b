"""TLS to other servers: none below 1.2, and none with a certificate that isn't valid for the name, whoever connects."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leat.control.store import open_control
from leat.quality.alerts.mail import mailing_of
from leat.security.policy_declaration import SignInDeclared
from leat.security.provider import SignInFailed, open_provider
from leat.sources.email.imap.session import Address, Session
from leat.sources.email.sending.declared import SmtpAddress
from leat.sources.email.sending.smtp import Smtp
from leat.sources.errors import IntegrationError, NotConfigured
from leat.tls import client_context, postgres_options
from leat.warehouse.connect import open_warehouse
from leat.warehouse.session import WarehouseError
from tests.kit.tls_server import Certificates, make_certificates, old_client, tls_server
from tests.sources.http_client import client_of


@dataclass(frozen=True)
class Way:
    """One way in which leat connects.

    Attributes:
        dial: connects to a port, with an authority to trust.
        speak: what a server of this kind says after the handshake, until dial has what it needs.
        before: what it says before that.
        refused: what dial raises when it refuses the server.
    """

    dial: Callable[[int, Path, Path], object]
    speak: Callable[[ssl.SSLSocket], object]
    refused: type[Exception]
    before: Callable[[socket.socket], None] | None = None


def http(port: int, _authority: Path, folder: Path) -> object:
    with client_of(folder, f"https://127.0.0.1:{port}/") as (client, _):
        return client.get("things")


def http_answer(connection: ssl.SSLSocket) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def imap(port: int, authority: Path, _folder: Path) -> object:
    address = Address("127.0.0.1", port, "tls", 5, client_context(authority))
    return Session("mail", "ada", address).close()


def imap_answer(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"* OK ready\r\n")
    while line := connection.recv(1024):
        tag = line.split(b" ")[0]
        connection.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")


def smtp(port: int, authority: Path, _folder: Path) -> object:
    address = SmtpAddress("127.0.0.1", port, "tls", 5, client_context(authority), None, None)
    return Smtp("mail", address).open()


def smtp_answer(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"220 ready\r\n")
    while connection.recv(1024):
        connection.sendall(b"250 fine\r\n")


def provider(port: int, _authority: Path, folder: Path) -> object:
    declared = SignInDeclared(issuer=f"https://127.0.0.1:{port}", client_id="leat", roles={"staff": "viewer"})
    return open_provider(declared, folder)


def wants_tls(connection: socket.socket) -> None:
    """Answer libpq's SSLRequest (PostgreSQL, 55.2.11)."""
    connection.recv(8)
    connection.sendall(b"S")


def postgres(port: int, authority: Path, _folder: Path) -> object:
    url = f"postgresql://leat@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert={authority}"
    with open_warehouse(url, Path()).snapshot() as session:
        return session


def control(port: int, authority: Path, _folder: Path) -> object:
    return open_control(f"postgresql://leat@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert={authority}")


def silent(connection: ssl.SSLSocket) -> bytes:
    """Say nothing; return what the client sends of itself."""
    return connection.recv(1)


WAYS = {
    "http": Way(http, http_answer, IntegrationError),
    "imap": Way(imap, imap_answer, IntegrationError),
    "smtp": Way(smtp, smtp_answer, IntegrationError),
    "provider": Way(provider, http_answer, SignInFailed),
    "postgres": Way(postgres, silent, WarehouseError, wants_tls),
    "control": Way(control, silent, WarehouseError, wants_tls),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    yield WAYS[request.param]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_valid_server_is_spoken_to_by_its_newest_version(
    way: Way, certificates: Certificates, tmp_path: Path, newest: ssl.TLSVersion
) -> None:
    # the servers say no more than they need to
    with tls_server(certificates.good, way.speak, newest, way.before) as server, suppress(way.refused):
        way.dial(server.port, certificates.authority, tmp_path)
    assert set(server.versions) == {newest.name.replace("_", ".")}
    assert way.before is None or any(server.returned)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_version_is_refused(
    way: Way, certificates: Certificates, tmp_path: Path, newest: ssl.TLSVersion
) -> None:
    with tls_server(certificates.good, way.speak, newest) as server:
        assert old_client(server.port) == newest.name.replace("_", "."), "the server does speak it"
    with (
        tls_server(certificates.good, way.speak, newest, way.before) as server,
        pytest.raises(way.refused) as raised,
    ):
        way.dial(server.port, certificates.authority, tmp_path)
    assert server.versions == []
    if way.refused is IntegrationError:
        assert "speaks no TLS 1.2 or newer" in str(raised.value)


@pytest.mark.parametrize("name", ["http", "imap", "smtp", "provider"])
def test_a_weak_cipher_is_refused(
    name: str, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that offers nothing but a cipher with SHA-1, without authenticated encryption."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    way, weak = WAYS[name], "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"
    with tls_server(certificates.good, way.speak, ssl.TLSVersion.TLSv1_2, ciphers=weak) as server:
        assert old_client(server.port) == "TLSv1.2"
    with (
        tls_server(certificates.good, way.speak, ssl.TLSVersion.TLSv1_2, ciphers=weak) as server,
        pytest.raises(way.refused),
    ):
        way.dial(server.port, certificates.authority, tmp_path)
    assert server.versions == []


@pytest.mark.parametrize("shown", ["self_signed", "other_name", "expired"])
def test_a_certificate_that_isnt_valid_is_refused(
    way: Way, certificates: Certificates, tmp_path: Path, shown: str
) -> None:
    with (
        tls_server(getattr(certificates, shown), way.speak, before=way.before) as server,
        pytest.raises(way.refused) as raised,
    ):
        way.dial(server.port, certificates.authority, tmp_path)
    if (
        way.before is not None and shown == "other_name"
    ):  # libpq looks at the name after the handshake, and says nothing
        assert [each for each in server.returned if each] == []
    else:
        assert server.versions == []
    if way.refused is IntegrationError:
        assert "certificate isn't valid" in str(raised.value)


@pytest.mark.parametrize(
    ("host", "query", "mode"),
    [
        ("db.example", {}, "verify-full"),
        ("10.0.0.7", {}, "verify-full"),
        ("127.0.0.1,db.example", {}, "verify-full"),
        ("db.example", {"sslmode": "disable"}, None),
        (None, {"host": "db.example"}, "verify-full"),
        ("127.0.0.1", {}, None),
        ("[::1]", {}, None),
        ("localhost", {}, None),
        (None, {"host": "/run/postgresql"}, None),
        (None, {}, None),
    ],
)
def test_postgres_on_another_machine_needs_a_valid_certificate(
    host: str | None, query: dict[str, Any], mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    options = postgres_options(host, query)
    assert options.get("sslmode") == mode
    assert options["ssl_min_protocol_version"] == "TLSv1.2"


def test_no_channel_of_alerts_ignores_certificates() -> None:
    import apprise

    service = apprise.Apprise.instantiate("mailtos://ada:secret@example.com?verify=no")
    with pytest.raises(NotConfigured, match="accepts any certificate"):
        mailing_of(service, "mail")
