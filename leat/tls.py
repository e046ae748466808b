"""TLS as leat speaks it to other servers, in one place: 1.2 or newer, and a certificate that is valid for the name.

HTTP, mail, the identity provider and Postgres take their settings from here. Versions 1.0 and 1.1 are retired by
RFC 8996; the rest follows RFC 9325. There is no setting that accepts an invalid certificate: name its authority.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import requests

TOO_OLD = "the server speaks no TLS 1.2 or newer"
UPDATE = "update the server, or what terminates TLS for it"
_REFUSED_VERSION = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")
_LIBPQ = "TLSv1.2"
_ROOTS = Path("~/.postgresql/root.crt")


def minimum() -> ssl.TLSVersion:
    """Return the oldest version that leat speaks."""
    import ssl

    return ssl.TLSVersion.TLSv1_2


def client_context(authorities: Path | None = None) -> ssl.SSLContext:
    """Return how a client verifies servers: always, and the name with the certificate.

    Args:
        authorities: PEM file of authorities to trust instead of the machine's.

    Raises:
        OSError: the file can't be read, or has no certificates.
    """
    import ssl

    context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    context.minimum_version = minimum()
    return context


def is_too_old(error: ssl.SSLError) -> bool:
    """Return whether a handshake failed for the version: :data:`TOO_OLD` says so, :data:`UPDATE` what to do."""
    return error.reason in _REFUSED_VERSION


def limit_versions(session: requests.Session) -> None:
    """Let a session of requests refuse old versions."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, ssl_minimum_version=minimum(), **more)

        def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
            return super().proxy_manager_for(proxy, ssl_minimum_version=minimum(), **more)

    session.mount("https://", Adapter())


def postgres_options(host: str | None, query: Mapping[str, object]) -> dict[str, str]:
    """Return the options of libpq in addition to the URL of a Postgres.

    A server on another machine has to have a valid certificate, unless the URL or ``PGSSLMODE`` says something else.

    Args:
        host: the host of the URL; several are separated by commas; None or a path for a socket.
        query: the parameters of the URL.
    """
    options = {} if "ssl_min_protocol_version" in query else {"ssl_min_protocol_version": _LIBPQ}
    named = query.get("host", host) or ""
    hosts = [each.strip("[]") for each in (named if isinstance(named, tuple | list) else str(named).split(","))]
    says = "sslmode" in query or "service" in query or os.environ.get("PGSSLMODE")
    if says or all(is_here(each) for each in hosts):
        return options
    options["sslmode"] = "verify-full"
    given = "sslrootcert" in query or os.environ.get("PGSSLROOTCERT") or _ROOTS.expanduser().exists()
    return options if given else options | {"sslrootcert": _system_roots()}


def postgres_is_encrypted(query: Mapping[str, object]) -> bool:
    """Return whether a connection to a Postgres on another machine is by TLS for certain, by its URL or ``PGSSLMODE``.

    Args:
        query: the parameters of the URL; what a service of libpq says isn't read.
    """
    mode = query.get("sslmode") or os.environ.get("PGSSLMODE")
    return "service" not in query if not mode else str(mode) in ("require", "verify-ca", "verify-full")


def is_here(host: str) -> bool:
    """Return whether a host is this machine: a socket, a loopback address, or ``localhost``."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _system_roots() -> str:
    """Return the machine's authorities: the OpenSSL that psycopg2 comes with may look elsewhere."""
    import ssl

    return ssl.get_default_verify_paths().cafile or "system"
