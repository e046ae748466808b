"""Which hosts leat may connect to, where whoever operates it has limited them by ``project.hosts`` in ``policies/``.

Every connection of an integration is checked right before it is made: HTTP with the proxy in between, mail, git,
databases, webhooks and alerts. Redirects need no check of their own, because they never leave the declared host.
A process opens one project, so the limits are those of the process, like :mod:`leat.project_sources`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from leat.sources.errors import NotConfigured


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


_LISTS: list[HostList] = []


def limit_hosts(lists: Iterable[HostList]) -> None:
    """Let leat connect only to hosts that all these lists have; to any, if there are none."""
    _LISTS[:] = lists


def check_host(integration: str, host: str) -> None:
    """Refuse a host that isn't permitted.

    Args:
        integration: who wants to connect, for the error.
        host: a name, an address, or ``slack://`` for a service.

    Raises:
        NotConfigured: a list lacks it; the text has the file and the line.
    """
    host = host.strip("[]")
    for each in _LISTS:
        if not each.has(host):
            got = f"{each.where} doesn't permit this host"
            raise NotConfigured(
                integration, f"connecting to {host}", got, "add it to project.hosts there, if it is meant"
            )


def check_proxy(integration: str, scheme: str, host: str) -> None:
    """Refuse the proxy that the environment names for a host, if it isn't permitted.

    Raises:
        NotConfigured: it isn't.
    """
    from urllib.request import getproxies, proxy_bypass

    proxy = getproxies().get(scheme) if _LISTS and not proxy_bypass(host) else None
    if proxy:
        check_host(integration, urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or "")


def _matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    if pattern == host:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return False
