"""A server that speaks TLS as a test wants it: with which certificate, up to which version."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Speak = Callable[[ssl.SSLSocket], object]


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form: an authority, and what servers on 127.0.0.1 show, with their keys."""

    authority: Path
    good: Path
    self_signed: Path
    other_name: Path
    expired: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and a certificate of each kind."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    issuer = _name("authority")
    authority = _built(issuer, issuer, authority_key.public_key(), None, ca=True).sign(authority_key, hashes.SHA256())
    (folder / "authority.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    files = Certificates(*(folder / f"{name}.pem" for name in Certificates.__dataclass_fields__))
    here, elsewhere = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("elsewhere.example")
    for path, name, signer, days in (
        (files.good, here, authority_key, 30),
        (files.self_signed, here, None, 30),
        (files.other_name, elsewhere, authority_key, 30),
        (files.expired, here, authority_key, -1),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(path.stem)
        made = _built(subject, subject if signer is None else issuer, key.public_key(), name, days=days)
        signed = made.sign(signer or key, hashes.SHA256())
        path.write_bytes(
            signed.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
    return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _built(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, name: x509.GeneralName | None, *,
           ca: bool = False, days: int = 30) -> x509.CertificateBuilder:  # fmt: skip
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder if name is None else builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)


@dataclass
class TlsServer:
    """The server; ``versions`` are those of completed handshakes, ``returned`` what speaking returned after each."""

    port: int
    versions: list[str] = field(default_factory=list)
    returned: list[object] = field(default_factory=list)


@contextlib.contextmanager
def tls_server(
    certificate: Path,
    speak: Speak,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    before: Callable[[socket.socket], None] | None = None,
    ciphers: str = "DEFAULT:@SECLEVEL=0",  # OpenSSL refuses what is old otherwise
) -> Iterator[TlsServer]:
    """Run a server that accepts any old version, too.

    Args:
        certificate: what it shows, with the key.
        speak: what it says after the handshake.
        newest: the newest version that it speaks.
        before: what it says before the handshake.
        ciphers: what it offers, as OpenSSL writes it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    listening = socket.create_server(("127.0.0.1", 0))
    server = TlsServer(listening.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            plain.settimeout(10)
            with contextlib.suppress(OSError), plain:
                if before is not None:
                    before(plain)
                with context.wrap_socket(plain, server_side=True) as encrypted:
                    server.versions.append(str(encrypted.version()))
                    server.returned.append(speak(encrypted))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def old_client(port: int) -> str:
    """Return the version that a client gets which accepts anything."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as encrypted:
        return str(encrypted.version())
