"""The ``connection:`` of version control: which repositories, and how to sign in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from leat.sources.driver import ConnectionModel, Sync
from leat.sources.errors import NotConfigured
from leat.sources.settings import LOCAL, Named, Secret, Setting, read_secret, read_setting
from leat.sources.version_control.git.address import Credentials, Remote, parts_of, repository_name

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # no bounded repetition: compiling one takes pydantic 40 ms
_LONGEST_NAME = 100


def _readable(setting: str | Named) -> str | Named:
    if isinstance(setting, str):
        parts_of(setting)
    return setting


Address = Annotated[Setting, AfterValidator(_readable)]


class Repository(ConnectionModel):
    """A repository with an explicit name."""

    name: str = Field(description="Its name in rows.", pattern=_NAME, max_length=_LONGEST_NAME)
    url: Address = Field(description="One address: http, https, ssh, user@host:path or a folder.")


class Connection(ConnectionModel):
    """Which repositories to read, and how."""

    repositories: tuple[Repository | Address, ...] = Field(
        min_length=1,
        description="Addresses, or name and url. A named value may hold several addresses separated by white space.",
    )
    username: Setting | None = Field(default=None, description="User name for HTTP.")
    password: Secret | None = Field(default=None, description="Password or token for HTTP.")
    ssh_key_file: Setting | None = Field(
        default=None,
        description="Path of a private key for SSH, relative to the project; without it, ssh chooses.",
        json_schema_extra=LOCAL,
    )
    action_username: Setting | None = Field(default=None, description="User name that actions use instead.")
    action_password: Secret | None = Field(
        default=None, description="Password or token that actions use instead, so that loads need no right to push."
    )
    action_ssh_key_file: Setting | None = Field(
        default=None, description="Private key that actions use instead.", json_schema_extra=LOCAL
    )
    allow_local_paths: bool = Field(default=True, description="Whether leat may read folders of this machine.")
    timeout: int = Field(default=60, ge=1, le=3600, description="Seconds without any response before giving up.")


def borrows(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the settings by which a connection uses keys or folders of this machine, and what to write instead."""
    for entry in connection.repositories:
        url = entry.url if isinstance(entry, Repository) else entry
        if isinstance(url, str) and parts_of(url)[0] in ("ssh", "file"):
            yield (
                "repositories",
                "a folder, or an address for ssh, is read with the rights of this machine; write https",
            )


def hosts(connection: Connection, sync: Sync) -> Iterator[tuple[str, int]]:
    """Yield the host and the port of each repository that isn't a folder.

    Raises:
        NotConfigured: as for :func:`remotes_of`.
    """
    yield from ((remote.host, remote.port) for remote in remotes_of(connection, sync) if remote.host)


def remotes_of(connection: Connection, sync: Sync) -> list[Remote]:
    """Return the repositories that a connection names, each once.

    Raises:
        NotConfigured: a named value is missing, an address can't be read, or two repositories have one name.
    """
    credentials = _credentials(connection, sync)
    remotes: dict[str, Remote] = {}
    for name, url in _addresses(connection, sync):
        try:
            scheme, host, port = parts_of(url)
        except ValueError as error:  # the address itself is not shown: it may hold a password
            step = "correct repositories of the connection"
            raise NotConfigured(sync.integration, "reading an address of a repository", str(error), step) from None
        if scheme == "file" and not connection.allow_local_paths:
            step = "allow_local_paths: true allows it"
            raise NotConfigured(sync.integration, f"reading {url}", "it is a folder of this machine", step)
        place = str(sync.project / url) if scheme == "file" and "://" not in url else url
        called = name or repository_name(url)
        remote = Remote(sync.integration, called, place, scheme, host, port, connection.timeout, credentials)
        if remotes.setdefault(called, remote).url != place:
            step = "give one of them a name: {name: …, url: …}"
            raise NotConfigured(sync.integration, "naming repositories", f"two are called {called}", step)
    return list(remotes.values())


def _credentials(connection: Connection, sync: Sync) -> Credentials:
    def read(setting: str | Named | None) -> str | None:
        return None if setting is None else read_setting(setting, sync.integration, sync.project)

    secret = connection.password
    password = read_secret(secret, sync.integration, sync.project) if secret else None
    key = read(connection.ssh_key_file)
    path: Path | None = sync.project / key if key else None
    if path is not None and not path.is_file():
        step = "create it or correct ssh_key_file"
        raise NotConfigured(sync.integration, f"reading the key {path}", "there is no such file", step)
    return Credentials(read(connection.username), password, path)


def _addresses(connection: Connection, sync: Sync) -> Iterator[tuple[str | None, str]]:
    for entry in connection.repositories:
        if isinstance(entry, Repository):
            yield entry.name, read_setting(entry.url, sync.integration, sync.project).strip()
            continue
        urls = [entry] if isinstance(entry, str) else read_setting(entry, sync.integration, sync.project).split()
        if not urls:
            step = "put at least one address into it"
            raise NotConfigured(sync.integration, "reading the addresses of repositories", "there is none", step)
        yield from ((None, url) for url in urls)
