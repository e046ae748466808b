"""What a draft may name. Whoever runs leat may name all; an administrator who signs in elsewhere mustn't get further.

Such an administrator may use this machine as little as anybody else on the network. A draft of theirs connects to
public addresses, and to the networks that whoever started `leat serve` permits; it names only variables and files that
are meant for it, because it could send their content to an address of its own choice; and it reads no folder.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.sources.driver import SetupTest, Sync, load_driver
from leat.sources.errors import IntegrationError
from leat.sources.http.address import is_public, look_up
from leat.sources.settings import Named, named_in, redact

SECRETS = "secrets"
"""The folder of a project that has the files a draft may name."""
_LOCAL = {"allow_private": False, "allow_local_paths": False}
"""Settings that say what of this machine a driver may read."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the drafts of somebody reach.

    Attributes:
        anything: whether they may name whatever a declaration in a file may name.
        networks: what isn't public, and may be connected to all the same.
    """

    anything: bool
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @property
    def permits(self) -> Callable[[str], bool] | None:
        """Whether leat may connect to an IP address for a draft; None for every address."""
        return None if self.anything else self._permits

    def _permits(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return is_public(address) or any(ip.version == each.version and ip in each for each in self.networks)

    @property
    def hidden(self) -> Collection[str]:
        """The settings that aren't theirs to choose."""
        return () if self.anything else tuple(_LOCAL)

    def fixed(self, settings: Collection[str]) -> Mapping[str, bool]:
        """Return those of a driver's settings that aren't theirs to choose, as they must be."""
        if self.anything:
            return {}
        return {n: v for n, v in _LOCAL.items() if n in settings and not (n == "allow_private" and self.networks)}

    def problems(self, declaration: Declaration, others: Mapping[str, Declaration]) -> Iterator[tuple[str, str]]:
        """Yield the settings that name what isn't theirs, as dotted paths, and what they may name."""
        if self.anything:
            return
        of_others = {value for other in others.values() for _, value in named_in(other.connection)}
        for at, named in named_in(declaration.connection):
            text = _not_its_own(named, declaration.name) or ("another system uses it" if named in of_others else "")
            if text:
                yield ".".join(at), text
        borrows = getattr(load_driver(declaration.source, declaration.driver), "borrows", None)
        yield from borrows(declaration.connection) if borrows else ()

    def tests(self, project: Project, declaration: Declaration, folder: Path) -> Iterator[SetupTest]:
        """Yield a failed test for each system that can't be connected to; drivers that speak HTTP look themselves."""
        driver = load_driver(declaration.source, declaration.driver)
        if self.anything or not hasattr(driver, "hosts"):
            return
        sync = Sync(declaration.name, frozenset(), None, project.folder, folder, datetime.now(UTC))
        try:
            for host, port in driver.hosts(declaration.connection, sync):
                detail = self._of_host(host, port)
                if detail:
                    yield SetupTest(f"{host} may be connected to", ok=False, detail=detail)
        except IntegrationError as error:
            yield SetupTest(error.asked, ok=False, detail=redact(f"{error.got}. Next: {error.next_step}"))

    def _of_host(self, host: str, port: int) -> str:
        try:
            addresses = [str(where[0]) for _, where in look_up(host, port)]
        except (OSError, socket.gaierror):
            return "there is no host of this name. Next: correct it"
        private = [each for each in addresses if not self._permits(each)]
        step = "let `leat serve --private-network` permit its network, or declare the system in a file"
        return f"{private[0]} is not a public address. Next: {step}" if private else ""


def reach_of(*, anything: bool, networks: Collection[str]) -> Reach:
    """Return how far drafts reach."""
    return Reach(anything, tuple(ipaddress.ip_network(each) for each in networks))


def variable_of(name: str, field: str) -> str:
    """Return the variable that a setting of an integration is read from, if nobody wants another one."""
    return f"{name or 'name'}_{field}".upper().replace(".", "_").replace("_AUTH_", "_")


def _not_its_own(named: Named, name: str) -> str:
    if named.env is not None:
        prefix = f"{name}_".upper()
        right = named.env.startswith(prefix) and not named.env.startswith("LEAT_")
        return "" if right else f"name a variable that begins with {prefix}, so that it is meant for this system"
    if named.secret is not None:
        right = _is_of(name, named.secret)
        return "" if right else f"name a secret {name} or {name}-…, so that it is meant for this system"
    path = PurePosixPath(str(named.file))
    right = path.parts[:-1] == (SECRETS,) and _is_of(name, path.name)
    return "" if right else f"name a file {SECRETS}/{name} or {SECRETS}/{name}-…, so that it is meant for this system"


def _is_of(name: str, named: str) -> bool:
    """Return whether a name begins with that of an integration."""
    return named.startswith(name) and named[len(name) : len(name) + 1] in ("", "-", "_", ".")
