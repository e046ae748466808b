"""Where a URL leads: its origin, and whether that is this machine or a private network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from sources.errors import NotConfigured, Unavailable


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL: who gets credentials."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def refuse_private(integration: str, url: str) -> None:
    """Look a host up and refuse it when any of its addresses isn't a public one.

    Raises:
        NotConfigured: it is on this machine, link-local (where clouds keep credentials) or in a private network.
        Unavailable: the name isn't known.
    """
    host = urlsplit(url).hostname or ""
    asked = f"looking up {host}"
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise Unavailable(integration, asked, "no such host", "correct connection.url or look at the network") from None
    for address in {str(entry[4][0]).partition("%")[0] for entry in found}:
        ip = ipaddress.ip_address(address)
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        if not (mapped or ip).is_global or ip.is_multicast:
            got = f"{address} is not a public address"
            raise NotConfigured(integration, asked, got, "set allow_private: true, if you mean a server of your own")
