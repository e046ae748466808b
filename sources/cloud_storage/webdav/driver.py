"""Driver for WebDAV servers (RFC 4918): Nextcloud, ownCloud, Apache, nginx, WsgiDAV and others.

The folder at the address is read as one bucket. WebDAV knows no versions, no policies and no lifecycle; whom a folder
is shared with isn't in the protocol. Servers that report the account's rights (RFC 3744) fill ``permissions``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field

from leat.sources.cloud_storage.declared import Backup, Declared, Owner, Quota, Reports
from leat.sources.cloud_storage.reading import Listable, Row, read_storage
from leat.sources.cloud_storage.sorted_lines import Listing
from leat.sources.cloud_storage.webdav.listing import is_folder, list_folder, propfind
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import Forbidden, NotFound
from leat.sources.events import Event
from leat.sources.http.client import Client, Limits, open_client
from leat.sources.http.failures import Advice
from leat.sources.http.multistatus import Resource
from leat.sources.http.safe_xml import clark
from leat.sources.settings import Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in

_ABOUT = ("D:resourcetype", "D:creationdate", "D:owner", "D:current-user-privilege-set")
_ADVICE = Advice(
    unauthenticated="check connection.username and connection.password; some vendors want an app password",
    forbidden="give the account the right to read this folder",
    not_found="check connection.url: it is the address of a folder",
    shape="check that connection.url is a WebDAV address, not that of a web page",
)


class Connection(ConnectionModel):
    """Where the folder is, how to sign in, and what the server can't report."""

    url: Setting = Field(description="Address of the folder to read.")
    username: Setting | None = Field(default=None, description="Login; none for a server that doesn't require one.")
    password: Secret | None = Field(default=None, description="Password, or an app password if the vendor has them.")
    bucket: str | None = Field(default=None, description="Name of the folder as a bucket; default: its path.")
    owners: tuple[Owner, ...] = Field(default=(), description="Owners of folders, if the server doesn't report them.")
    quotas: tuple[Quota, ...] = Field(default=(), description="How much may be stored.")
    backups: tuple[Backup, ...] = Field(default=(), description="Where backups are written.")
    restore_tests: tuple[Reports, ...] = Field(default=(), description="Where reports of restore tests are written.")
    in_flight: int = Field(default=8, ge=1, le=64, description="Number of requests in parallel.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for a response.")

    def declared(self) -> Declared:
        """Return what the server can't know."""
        return Declared(owners=self.owners, quotas=self.quotas, backups=self.backups, restore_tests=self.restore_tests)


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    with _open(connection, sync) as client:

        def count() -> int:
            _root(client)
            return len(propfind(client, _path(client), ("D:resourcetype",), "1").resources) - 1

        answer = yield from try_sign_in(count, f"{client.url} answers", "the server accepts the account", Forbidden)
        if answer is not None:
            detail = str(answer.failure or f"{answer.value} files and folders at the top")
            yield SetupTest("may list files", answer.failure is None, detail)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: a folder can't be read; the cursor then stays where it was.
    """
    with _open(connection, sync) as client:
        root = _root(client)
        name = connection.bucket or unquote(_path(client))
        bucket = Listable(name, partial(_list, client, sync), partial(_read, client))
        owner = _text(root, "D:owner")
        about = {"bucket": name, "versioning": "off", "owner_id": owner, "is_public": connection.username is None}
        whole: dict[str, Sequence[Row]] = {
            "buckets": [{**about, "created_at": None}],
            "permissions": _permissions(name, connection, sync, root),
            **dict.fromkeys(("shares", "lifecycle_rules", "multipart_uploads"), ()),
        }
        yield from read_storage(sync, [client.url, name], connection.declared(), [bucket], whole)


def _permissions(bucket: str, connection: Connection, sync: Sync, root: Resource) -> list[Row]:
    """Return what the account may do, if the server reports it (RFC 3744, 5.5)."""
    held = root.properties.get(clark("D:current-user-privilege-set"))
    names = {right.tag.rpartition("}")[2] for each in held or () for right in each} if held is not None else set()
    user = read_setting(connection.username, sync.integration, sync.project) if connection.username else "*"
    row = {"bucket": bucket, "principal": user, "origin": "account", "prefix": "", "effect": "allow"}
    return [{**row, "permission": name, "condition": None} for name in sorted(names)]


def _list(client: Client, sync: Sync, folder: Path, target: Path) -> Listing:
    return list_folder(client, _path(client), folder, target, lambda count: sync.progress("list files", count))


def _read(client: Client, key: str) -> bytes:
    return client.get(_path(client) + quote(key, safe="/"), template="/{file}").body


def _root(client: Client) -> Resource:
    resources = propfind(client, _path(client), _ABOUT, "0").resources
    if not resources or not is_folder(resources[0]):
        raise NotFound(client.integration, f"PROPFIND {_path(client)}", "it is no folder", _ADVICE.not_found)
    return resources[0]


def _path(client: Client) -> str:
    path = urlsplit(client.url).path
    return path if path.endswith("/") else path + "/"


def _text(resource: Resource, name: str) -> str | None:
    element = resource.properties.get(clark(name))
    return " ".join("".join(element.itertext()).split()) or None if element is not None else None


def _open(connection: Connection, sync: Sync) -> AbstractContextManager[Client]:
    from requests.auth import HTTPBasicAuth

    url = read_setting(connection.url, sync.integration, sync.project)
    auth = None
    if connection.username is not None:
        username = read_setting(connection.username, sync.integration, sync.project)
        secret = connection.password
        password = read_secret(secret, sync.integration, sync.project) if secret is not None else ""
        auth = HTTPBasicAuth(username.encode(), password.encode())
    limits = Limits(timeout=connection.timeout, in_flight=connection.in_flight)
    return open_client(sync, url, auth, limits=limits, advice=_ADVICE)
