"""Addresses of repositories: which are read, what is in them, and a short name for each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from leat.sources.errors import IntegrationError
from leat.sources.version_control.git.environment import PROTOCOLS

_SCP = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+|(?:[\w.-]+@)?\[[0-9a-fA-F:]+\]):(?P<path>(?!//).+)")
_PORTS = {"http": 80, "https": 443, "ssh": 22}


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign in; never shown."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ssh_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """One repository to read.

    Attributes:
        integration: name of the declaration, for errors.
        name: what the rows call it.
        url: address, without credentials.
        scheme: http, https, ssh or file.
        host: host name; empty for a folder.
        port: TCP port; 0 for a folder.
        timeout: seconds without any answer before it counts as timed out.
        credentials: how to sign in.
    """

    integration: str
    name: str
    url: str
    scheme: str
    host: str
    port: int
    timeout: int
    credentials: Credentials

    def failed(self, kind: type[IntegrationError], asked: str, got: str, next_step: str) -> IntegrationError:
        """Return an error about this repository."""
        return kind(self.integration, f"{asked} {self.name} ({self.url})", got, next_step)


def parts_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address; a folder has scheme ``file``.

    Raises:
        ValueError: it is none that leat reads; the text says why and what to write, and doesn't hold the address.
    """
    if not url or url.startswith("-") or any(ord(char) < 33 for char in url):
        msg = "an address can't be empty, start with a dash or hold white space"
        raise ValueError(msg)
    if "://" not in url and "::" not in url:
        scp = None if url.startswith(("/", ".", "~")) else _SCP.fullmatch(url)
        return ("ssh", scp["host"].rpartition("@")[2].strip("[]"), 22) if scp else ("file", "", 0)
    parts = urlsplit(url)
    if parts.scheme not in PROTOCOLS or "::" in url.partition("://")[0]:
        msg = "only http, https and ssh addresses and folders are read"
        raise ValueError(msg)
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        msg = "credentials don't belong in an address; name them under username and password"
        raise ValueError(msg)
    if parts.scheme == "file":
        return "file", "", 0
    if not parts.hostname or parts.hostname.startswith("-"):
        msg = "the address has no host"
        raise ValueError(msg)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def repository_name(url: str) -> str:
    """Return a short name: the last part of the address without ``.git``, as letters, digits, ``.``, ``_``, ``-``."""
    path = urlsplit(url).path if "://" in url else url
    last = re.split(r"[/:]", path.rstrip("/").removesuffix("/.git"))[-1].removesuffix(".git")
    return re.sub(r"[^\w.-]+", "-", last, flags=re.ASCII).strip(".-_") or "repository"
