"""How ``leat serve`` was started; the supervisor hands it to its processes as JSON."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve.

    Attributes:
        project: the project folder, absolute.
        host: the address to listen on.
        port: the TCP port; 0 for a free one.
        url: how people and other systems reach it, where that is another address, as behind a reverse proxy.
        trusted_proxies: addresses or networks of the proxies whose X-Forwarded-* headers count.
        metrics_port: the port of /metrics on 127.0.0.1; None for none, 0 for a free one.
        drain_seconds: how long it answers after SIGTERM, while /readyz says 503.
        on: the dashboard of the Ray cluster whose machines run integrations; None for this machine.
        private_networks: what is not public, and administrators may connect to from the browser all the same.
    """

    project: str
    host: str = "127.0.0.1"
    port: int = 8765
    url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    metrics_port: int | None = None
    private_networks: tuple[str, ...] = ()
    drain_seconds: float = 0
    on: str | None = None

    def as_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def public_url(self) -> str:
        """The address that others use, without a slash at the end."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return (self.url or f"http://{shown}:{self.port}").rstrip("/")

    @property
    def local_url(self) -> str:
        """The address on the machine itself."""
        return Options(self.project, self.host, self.port).public_url

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a request may give in its Host header: another one may be a page that rebinds its name."""
        named = {self.host, str(urlsplit(self.public_url).hostname)}
        return frozenset(named | ({"localhost", "127.0.0.1", "::1"} if is_loopback(self.host) else set()))


def read_options(text: str) -> Options:
    """Return the options from their JSON."""
    value = json.loads(text)
    networks = {name: tuple(value[name]) for name in ("trusted_proxies", "private_networks")}
    return Options(**{**value, **networks})


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
