"""Which hosts leat may connect to, and how, where ``project`` in ``policies/`` limits it: ``hosts``, ``require_tls``.

Every connection is checked right before it is made: HTTP with the proxy in between, mail, git, databases, webhooks,
alerts, the identity provider, AWS KMS and Vault. Redirects need no check of their own, because they never leave the
declared host. A process opens one project, so the limits are those of the process.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from leat.sources.errors import NotConfigured
from leat.tls import is_here


@dataclass(frozen=True, slots=True)
class HostList:
    """The hosts that one file permits.

    Attributes:
        patterns: names, ``*.example.com`` for every name below, addresses, networks, or ``slack://`` for a service of
            alerts whose host isn't in its URL.
        where: file and line of the list.
    """

    patterns: tuple[str, ...]
    where: str

    def has(self, host: str) -> bool:
        """Return whether a host is one of these."""
        return any(_matches(pattern.lower(), host.lower().rstrip(".")) for pattern in self.patterns)


Place = Callable[[str, str], str | None]
"""Returns the file and the line where something, given by its name, declares a host; None if that isn't clear."""


class _Limits:
    lists: tuple[HostList, ...] = ()
    place: Place | None = None
    tls: str | None = None


def limit_hosts(lists: Iterable[HostList], place: Place | None = None, tls: str | None = None) -> None:
    """Let leat connect only to hosts that all these lists have; to any, if there are none.

    Args:
        lists: the lists.
        place: where a host is declared, for the error.
        tls: file and line that demand TLS for every other machine; None if none does.
    """
    _Limits.lists, _Limits.place, _Limits.tls = tuple(lists), place, tls


def check_host(integration: str, host: str, *, encrypted: bool) -> None:
    """Refuse a host that isn't permitted, and a connection without TLS where that is demanded.

    Args:
        integration: who wants to connect, for the error: an integration, a channel, an endpoint, ``sign_in``, ``keys``.
        host: a name, an address, or ``slack://`` for a service.
        encrypted: whether the connection is by TLS or SSH.

    Raises:
        NotConfigured: a list lacks it, or TLS is demanded; the text has file and line of that, and of what names the
            host.
    """
    host = host.strip("[]")
    for each in _Limits.lists:
        if not each.has(host):
            _refuse(integration, host, f"{each.where} doesn't permit this host",
                    "add it to project.hosts there, if it is meant")  # fmt: skip
    if _Limits.tls is not None and not encrypted and not is_here(host):
        _refuse(integration, host, f"{_Limits.tls} demands TLS for this host",
                "write https://, security: tls, or sslmode=verify-full")  # fmt: skip


def _refuse(integration: str, host: str, got: str, next_step: str) -> NoReturn:
    named = None if _Limits.place is None else _Limits.place(integration, host)
    raise NotConfigured(integration, f"connecting to {host}", got + (f", which {named} names" if named else ""),
                        next_step)  # fmt: skip


def check_proxy(integration: str, scheme: str, host: str) -> None:
    """Refuse the proxy that the environment names for a host, if it isn't permitted.

    Raises:
        NotConfigured: it isn't.
    """
    from urllib.request import getproxies, proxy_bypass

    proxy = getproxies().get(scheme) if _Limits.lists and not proxy_bypass(host) else None
    if proxy:
        named = urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or ""
        check_host(integration, named, encrypted=True)  # TLS is with the host behind it


def check_url(integration: str, url: str) -> None:
    """Refuse the host of a URL, or the proxy on the way to it, as :func:`check_host` does.

    Raises:
        NotConfigured: one of them isn't permitted.
    """
    parts = urlsplit(url)
    check_host(integration, parts.hostname or "", encrypted=parts.scheme == "https")
    check_proxy(integration, parts.scheme, parts.hostname or "")


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    if pattern == host:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False
