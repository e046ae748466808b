"""Driver for identity providers that speak SCIM 2.0 (RFC 7643, RFC 7644): Canaille, and others for what SCIM has.

Users, groups, members and roles come by SCIM. Applications, who uses them, factors and sessions come from Canaille's
database, and sign-ins from its log, where ``canaille_database`` and ``canaille_log`` name them; without them those
tables stay empty. A run that finds nothing makes five requests: a token, and each listing with a page beyond its end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from leat.sources.batch import to_json
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.events import Cursor, Event, Failed
from leat.sources.http.auth import Auth, NoAuth
from leat.sources.http.request import Limits
from leat.sources.settings import LOCAL, Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in
from leat.sources.sso.canaille.database import check_tables, open_database, read_database
from leat.sources.sso.canaille.log_files import open_files
from leat.sources.sso.canaille.queries import QUERIES
from leat.sources.sso.canaille.security_log import read_log
from leat.sources.sso.revocation import Revocation
from leat.sources.sso.scim.access import Access, open_access
from leat.sources.sso.scim.changes import read_since
from leat.sources.sso.scim.directory import read_directory
from leat.sources.sso.scim.membership import Role
from leat.sources.sso.streams import DIRECTORY

FORMAT = 1
"""Raised when the cursor changes its meaning; an older one is then read as none."""


class Connection(ConnectionModel):
    """Where users and groups are, how to sign in, which groups are roles, and what else to read."""

    url: Setting = Field(description="Address of the SCIM service, for example `https://host/scim/v2`.")
    auth: Auth = Field(default_factory=NoAuth, description="How to sign in: a client's credentials, or a bearer token.")
    action_auth: Auth | None = Field(
        default=None, description="How to sign in to act on users and groups; without it, as `auth` says."
    )
    page_size: int | None = Field(
        default=None, ge=1, le=10_000, description="Resources per page (`count`); without it, the server decides."
    )
    roles: tuple[Role, ...] = Field(default=(), description="Groups that give permissions to their members.")
    canaille_log: Setting | None = Field(
        default=None,
        description="Canaille's log on this machine, with its rotated files in the same folder.",
        json_schema_extra=LOCAL,
    )
    canaille_log_timezone: str = Field(default="UTC", description="Zone of the times in that log.")
    canaille_database: Secret | None = Field(
        default=None, description="SQLAlchemy URL of Canaille's database, SQLite or Postgres."
    )
    revocation: Revocation | None = Field(
        default=None, description="How to end sessions, which needs `canaille_database`, too."
    )
    ignore_total: bool = Field(
        default=False, description="Whether to read without totalResults, for services that count wrongly."
    )
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for a response.")


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    with ExitStack() as stack:

        def ask() -> Access:
            access = stack.enter_context(_open(connection, sync))
            access.read("Users")
            return access

        answer = yield from try_sign_in(ask, "the service answers", "the service accepts the client")
        if answer is None:
            return
        failure, access = answer.failure, answer.value
        yield _tried("may list users", failure, "users can be read")
        if access is None:
            return
        try:
            access.read("Groups")
        except IntegrationError as error:
            failure = error
        yield _tried("may list groups", failure, "groups can be read")
    if failure is None:
        yield from _log_tests(connection, sync)


def _tried(name: str, failure: IntegrationError | None, good: str) -> SetupTest:
    return SetupTest(name, failure is None, str(failure) if failure else good)


def _log_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Test the inputs other than SCIM."""
    failure: IntegrationError | None = None
    log = _log(connection, sync)
    if log is not None:
        try:
            with ExitStack() as stack:
                open_files(sync.integration, log, stack)
        except IntegrationError as error:
            failure = error
        yield _tried("may read the log", failure, f"{log} can be read")
    if connection.canaille_database is not None and failure is None:
        try:
            with open_database(sync.integration, _database(connection, sync)) as database:
                check_tables(sync.integration, database)
        except IntegrationError as error:
            failure = error
        yield _tried("may read the database", failure, "its tables are there")


def since_streams(_connection: Connection) -> frozenset[str]:
    """Return the streams that a filter on ``meta.lastModified`` gives from a date on."""
    return DIRECTORY


def extract(connection: Connection, sync: Sync) -> Generator[Event]:
    """Yield what changed since ``sync.cursor``; a part that can't be read fails alone, and its cursor stays.

    Raises:
        NotConfigured: a setting is missing.
        IntegrationError: nothing of it can be read.
    """
    if sync.since is not None:
        with _open(connection, sync) as access:
            yield from read_since(access, sync, connection.roles, sync.since)
        return
    fingerprint = _fingerprint(connection, sync)
    before = sync.cursor or {}
    fits = before.get("for") == fingerprint and before.get("format") == FORMAT
    earlier = before if fits and sync.streams <= set(before.get("streams") or ()) else {}
    state: dict[str, Any] = {"for": fingerprint, "format": FORMAT, "streams": sorted(sync.streams)}
    failures: list[IntegrationError] = []
    parts = _parts(connection, sync, earlier)
    for name, (streams, events) in parts.items():
        try:
            state[name] = yield from events
        except NotConfigured:
            raise
        except IntegrationError as error:
            failures.append(error)
            if len(failures) == len(parts):
                raise failures[0] from None
            yield from (Failed(stream, error) for stream in sorted(streams & sync.streams))
            if name in earlier:
                state[name] = earlier[name]
    if to_json(state) != to_json(dict(before)):
        yield Cursor(state)


_Part = tuple[frozenset[str], Generator[Event, None, Mapping[str, Any]]]


def _parts(connection: Connection, sync: Sync, before: Mapping[str, Any]) -> dict[str, _Part]:
    """Return what is read, by its name in the cursor: its streams, and what yields their events."""
    parts: dict[str, _Part] = {"directory": (DIRECTORY, _directory(connection, sync, before.get("directory") or {}))}
    if connection.canaille_database is not None:
        url = _database(connection, sync)
        parts["database"] = (frozenset(QUERIES), read_database(sync, url, before.get("database") or {}))
    log = _log(connection, sync)
    if log is not None and "login_events" in sync.streams:
        events = read_log(sync, log, _zone(connection, sync), before.get("log") or {})
        parts["log"] = (frozenset({"login_events"}), events)
    return parts


def _directory(
    connection: Connection, sync: Sync, before: Mapping[str, Any]
) -> Generator[Event, None, Mapping[str, Any]]:
    if not sync.streams & DIRECTORY:
        return before
    with _open(connection, sync) as access:
        return (yield from read_directory(access, sync, connection.roles, before))


def _open(connection: Connection, sync: Sync) -> AbstractContextManager[Access]:
    url = read_setting(connection.url, sync.integration, sync.project)
    auth, total = connection.auth, connection.ignore_total
    return open_access(sync, url, auth, Limits(timeout=connection.timeout), connection.page_size, total)


def _fingerprint(connection: Connection, sync: Sync) -> str:
    """Return what distinguishes this declaration from one with another directory, other roles or other inputs."""
    url = read_setting(connection.url, sync.integration, sync.project).rstrip("/")
    roles = [role.model_dump() for role in connection.roles]
    log, zone = str(_log(connection, sync)), connection.canaille_log_timezone
    return sha256(to_json([url, roles, log, zone]).encode()).hexdigest()[:16]


def _log(connection: Connection, sync: Sync) -> Path | None:
    if connection.canaille_log is None:
        return None
    return sync.project / read_setting(connection.canaille_log, sync.integration, sync.project)


def _database(connection: Connection, sync: Sync) -> str:
    if connection.canaille_database is None:
        raise AssertionError
    return read_secret(connection.canaille_database, sync.integration, sync.project)


def _zone(connection: Connection, sync: Sync) -> ZoneInfo:
    try:
        return ZoneInfo(connection.canaille_log_timezone)
    except (ZoneInfoNotFoundError, ValueError):
        asked = "reading connection.canaille_log_timezone"
        raise NotConfigured(sync.integration, asked, "there is no such zone", "write one as Europe/Paris") from None
