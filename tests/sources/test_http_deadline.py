"""An exchange ends in time and in bounded memory, whatever the server sends, and however slowly."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from leat.sources.errors import IntegrationError, Rejected, TimedOut, UnexpectedShape
from leat.sources.http.address import Address
from leat.sources.http.client import Limits
from tests.kit.raw_server import RawServer, answer, raw_server
from tests.sources.http_client import client_of

Drip = Callable[[RawServer, socket.socket], None]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP_WITH_A_NAME = b"\x1f\x8b\x08\x08" + bytes(6)  # and its name doesn't end (RFC 1952)


def status(server: RawServer, client: socket.socket) -> None:
    server.drip(client, b"H")


def header(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
    server.drip(client, b"x")


def headers(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    server.drip(client, b"X-A: x\r\n")


def interim(server: RawServer, client: socket.socket) -> None:
    server.drip(client, b"HTTP/1.1 100 Continue\r\n\r\n")


def body(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    server.drip(client, b"x")


def compressed(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5000\r\n\r\n" + GZIP_WITH_A_NAME)
    server.drip(client, b"x")


def without_length(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    server.drip(client, b"x")


def chunk_extension(server: RawServer, client: socket.socket) -> None:
    client.sendall(CHUNKED + b"2")
    server.drip(client, b";x")


def chunks(server: RawServer, client: socket.socket) -> None:
    client.sendall(CHUNKED)
    server.drip(client, b"1\r\nx\r\n")


def trailer(server: RawServer, client: socket.socket) -> None:
    client.sendall(CHUNKED + b"2\r\n[]\r\n0\r\n")
    server.drip(client, b"X: y\r\n")


def redirect(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 10000\r\n\r\n")
    server.drip(client, b"x")


def refusal(server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 10000\r\n\r\n")
    server.drip(client, b"x")


def silence(server: RawServer, _client: socket.socket) -> None:
    server.ended.wait(30)


DRIPS = (status, header, headers, interim, body, compressed, without_length, chunk_extension, chunks, trailer)


@pytest.mark.parametrize("drip", [*DRIPS, redirect, refusal, silence])
def test_no_server_that_drips_holds_a_run(tmp_path: Path, drip: Drip) -> None:
    limits = Limits(timeout=0.4, total=0.5, attempts=1)
    with (
        raw_server(lambda server, client, _head, _body: drip(server, client)) as server,
        client_of(tmp_path, server.url, limits=limits) as (client, calls),
    ):
        began = time.monotonic()
        with pytest.raises(TimedOut, match=r"(no answer|no end of the answer,) in 0\.[45] s"):
            client.get("a")
        assert time.monotonic() - began < 2
    assert [call.error for call in calls] == ["TimedOut"]


def long_header(_server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 2**20 + b"\r\n\r\n")


def many_headers(_server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: x\r\n" * 5000 + b"\r\n")


def large_headers(_server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n" + (b"X-A: " + b"x" * 60000 + b"\r\n") * 90 + b"\r\n")


def many_interim(_server: RawServer, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000)


def long_chunk_extension(_server: RawServer, client: socket.socket) -> None:
    client.sendall(CHUNKED + b"2;" + b"x" * 2**20 + b"\r\n[]\r\n0\r\n\r\n")


@pytest.mark.parametrize("flood", [long_header, many_headers, large_headers, many_interim, long_chunk_extension])
def test_a_head_without_end_is_no_answer(tmp_path: Path, flood: Drip) -> None:
    with (
        raw_server(lambda server, client, _head, _body: flood(server, client)) as server,
        client_of(tmp_path, server.url, limits=Limits(timeout=5, attempts=1)) as (client, _),
        pytest.raises(UnexpectedShape, match="no HTTP, or whose headers don't end"),
    ):
        client.get("a")


def test_a_look_up_that_hangs_is_given_up(tmp_path: Path) -> None:
    hanging = threading.Event()

    def look_up(_host: str, _port: int) -> list[Address]:
        hanging.wait(30)
        return []

    limits = Limits(timeout=0.2, total=0.3, attempts=1, look_up=look_up)
    began = time.monotonic()
    with client_of(tmp_path, "http://api.example.org/", limits=limits) as (client, _), pytest.raises(TimedOut):
        client.get("a")
    hanging.set()
    assert time.monotonic() - began < 2


def test_a_handshake_that_hangs_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        began = time.monotonic()
        limits = Limits(timeout=0.3, total=0.3, attempts=1)
        with client_of(tmp_path, url, limits=limits) as (client, _), pytest.raises(TimedOut):
            client.get("a")
    assert time.monotonic() - began < 2


@contextlib.contextmanager
def secure_server(folder: Path, name: str) -> Iterator[tuple[int, Path]]:
    """Run one that answers a request by TLS, with a certificate for a name; gives its port and the certificate."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, file = builder.sign(key, hashes.SHA256()), folder / "certificate.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, folder / "tls.key")

    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _ = listening.accept()
            with context.wrap_socket(client, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(answer([1]))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], file
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("name", "right"), [("api.example.org", True), ("other.example.org", False)])
def test_the_certificate_is_that_of_the_name_whatever_address_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, right: bool
) -> None:
    limits = Limits(timeout=3, attempts=1, look_up=lambda _host, port: [(socket.AF_INET, ("127.0.0.1", port))])
    with secure_server(tmp_path, name) as (port, certificate):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with client_of(tmp_path, f"https://api.example.org:{port}/", limits=limits) as (client, _):
            if right:
                assert client.json(client.get("a")) == [1]
            else:
                with pytest.raises(Rejected, match="the server's certificate isn't valid"):
                    client.get("a")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x00\xff" * 100,
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Type: ;;;=\xff\r\nSet-Cookie: =;;\xff=\x01; Expires=x\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, br, what\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n no name\r\nno colon\r\n: nothing\r\n\r\n[]",
        CHUNKED + b"zz\r\n[]\r\n",
        CHUNKED + b"-2\r\n[]\r\n",
        CHUNKED + b"f" * 5000 + b"\r\n[]\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_hardly_http_is_an_answer_or_an_error_of_leat(tmp_path: Path, junk: bytes) -> None:
    with (
        raw_server(lambda _server, client, _head, _body: client.sendall(junk)) as server,
        client_of(tmp_path, server.url, limits=Limits(timeout=2, attempts=1)) as (client, _),
        contextlib.suppress(IntegrationError),
    ):
        client.get("a")
