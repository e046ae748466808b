"""Driver for REST APIs that speak JSON over HTTP, as ``connection.endpoints`` declares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from leat.sources.batch import to_json
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import Forbidden, Permanent, Unauthenticated
from leat.sources.events import Cursor, Event
from leat.sources.http.auth import Auth, NoAuth, sign_in
from leat.sources.http.client import Advice, Client, Limits, Version, open_client
from leat.sources.look import Look
from leat.sources.rest_api.declared import Endpoint, personal_columns, stream_of
from leat.sources.rest_api.diagnostics import endpoint_diagnostics, endpoint_gaps
from leat.sources.rest_api.families import Families, Reach
from leat.sources.rest_api.listed import Reading, State
from leat.sources.rest_api.look import Looking
from leat.sources.rest_api.paging_styles import Block
from leat.sources.rest_api.spool import spool_folder
from leat.sources.rest_api.watermark import state_from, takes_dates
from leat.sources.settings import Setting, read_setting
from leat.sources.stream import Stream

FORMAT = 2
"""Raised when the cursor changes its meaning; an older one is then read as none."""


class ApiVersion(Block):
    """The API version to request."""

    header: str = Field(description="Header that takes the version, for example Stripe-Version.")
    value: str = Field(description="The version.")
    served: str | None = Field(
        default=None, description="Header of the response with the version; default: the same header."
    )


class Connection(ConnectionModel):
    """Where the API is, how to sign in, how fast to read, and which lists it has."""

    url: Setting = Field(description="Address of the API; paths are below it.")
    auth: Auth = Field(default_factory=NoAuth, description="Who reads.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of every request; no secrets.")
    version: ApiVersion | None = Field(default=None, description="Version of the API to ask for.")
    endpoints: dict[str, Endpoint] = Field(min_length=1, description="The lists; each is a stream of that name.")
    rate: float | None = Field(default=None, gt=0, description="Maximum requests per second with this credential.")
    burst: int = Field(default=1, ge=1, description="Requests allowed at once after a pause, as part of rate.")
    reserve: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the API's own limit to leave to other clients."
    )
    in_flight: int = Field(default=4, ge=1, le=32, description="Number of requests in parallel.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for the next bytes of a response.")
    allow_private: bool = Field(default=True, description="Whether the host may be this machine or a private one.")

    def diagnostics(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what the types can't say of the endpoints."""
        for loc, text in endpoint_diagnostics(self.endpoints):
            yield ("endpoints", *loc), text

    def gaps(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the endpoints that have no columns yet."""
        for loc, text in endpoint_gaps(self.endpoints):
            yield ("endpoints", *loc), text

    def columns_in_cursor(self, stream: str) -> frozenset[str]:
        """Return the column by which an endpoint is asked for what is new."""
        incremental = self.endpoints[stream].incremental
        return frozenset() if incremental is None else frozenset({incremental.column})


def streams(connection: Connection) -> tuple[Stream, ...]:
    """Return the streams that a connection declares."""
    every = connection.endpoints
    return tuple(stream_of(name, endpoint, personal_columns(every, name)) for name, endpoint in every.items())


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Read two pages of each list, for one row below others, as a load would; stops at what concerns all of them."""
    looks = _looks(connection, sync)
    failures = [look.error for look in looks if look.error is not None]
    away = [error for error in failures if not isinstance(error, Permanent)]
    url = read_setting(connection.url, sync.integration, sync.project)
    yield SetupTest("reachable", not away, str(away[0]) if away else f"{url} answers")
    if away:
        return
    refused = [error for error in failures if isinstance(error, Unauthenticated)]
    yield SetupTest("authenticated", not refused, str(refused[0]) if refused else "the API accepts the credentials")
    if refused:
        return
    denied = [error for error in failures if isinstance(error, Forbidden)]
    named = ", ".join(look.stream for look in looks)
    yield SetupTest("may read", not denied, str(denied[0]) if denied else named)
    for look in looks:
        if not isinstance(look.error, Forbidden):
            yield SetupTest(f"reads {look.stream}", look.is_good, look.words)


def _looks(connection: Connection, sync: Sync) -> list[Look]:
    """Return a look at each stream, up to the first that can't be read for a reason that concerns all."""
    looks: list[Look] = []
    for each in look(connection, sync):
        looks.append(each)
        if isinstance(each.error, Unauthenticated) or not isinstance(each.error, Permanent | None):
            break
    return looks


def look(connection: Connection, sync: Sync) -> Iterator[Look]:
    """Yield what two pages of each list have; below an endpoint, for one of its rows."""
    with _open(connection, sync) as client, TemporaryDirectory(prefix="look-", dir=sync.folder) as folder:
        yield from Looking(client, connection.endpoints, Path(folder), sync).looks()


def since_streams(connection: Connection) -> frozenset[str]:
    """Return the endpoints that can be asked for what has changed from a date on, and all that are read with them."""
    found = {n for n, e in connection.endpoints.items() if takes_dates(e) and e.parent is None}
    while more := {n for n, e in connection.endpoints.items() if _outside(e) in found} - found:
        found |= more
    return frozenset(found)


def _outside(endpoint: Endpoint) -> str | None:
    return endpoint.nested_in or (endpoint.parent.endpoint if endpoint.parent else None)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``; an endpoint that can't be read fails its streams alone.

    Raises:
        IntegrationError: the credentials are refused, or the server can't be reached; the cursor then stays.
    """
    known = _usable(connection, sync)
    if sync.since is not None:
        known = {
            name: {**state_from(endpoint, sync.since, sync.now), "streams": list(connection.endpoints)}
            for name, endpoint in connection.endpoints.items()
            if takes_dates(endpoint) and endpoint.parent is None
        }
        sync = replace(sync, streams=sync.streams & since_streams(connection))
    states: dict[str, State] = {}
    reach = Reach()
    watched = reach.watch(sync)
    with _open(connection, watched) as client, spool_folder(sync.folder) as folder:
        families = Families(connection.endpoints, Reading(client, folder, watched), known, reach)
        for event in families.read():
            if isinstance(event, tuple):
                states[event[0]] = event[1]
            else:
                yield event
    after = {"for": _fingerprint(connection, sync), "format": FORMAT, "endpoints": {**known, **states}}
    if states and to_json(after) != to_json(dict(sync.cursor or {})):
        yield Cursor(after)


def _open(connection: Connection, sync: Sync) -> AbstractContextManager[Client]:
    url = read_setting(connection.url, sync.integration, sync.project).rstrip("/") + "/"
    limits = Limits(
        timeout=connection.timeout,
        total=max(300.0, connection.timeout * 4),
        in_flight=connection.in_flight,
        rate=connection.rate,
        burst=connection.burst,
        reserve=connection.reserve,
        allow_private=connection.allow_private,
    )
    advice = Advice(
        unauthenticated="check connection.auth: the credential is wrong, or has expired or was revoked; make a new one",
        forbidden="give the account of connection.auth the right to read this, or take the endpoint out",
        not_found="correct the endpoint's path, or connection.url, or take the endpoint out",
        rejected="correct the endpoint's path and params",
    )
    told = connection.version
    version = None if told is None else Version(told.value, told.header, told.served)
    headers = {"Accept": "application/json", **connection.headers}
    signer = sign_in(connection.auth, sync)
    return open_client(sync, url, signer, headers=headers, limits=limits, advice=advice, version=version)


def _fingerprint(connection: Connection, sync: Sync) -> str:
    url = read_setting(connection.url, sync.integration, sync.project)
    version = connection.version and connection.version.value
    return sha256(to_json([url, version]).encode()).hexdigest()[:16]


def _usable(connection: Connection, sync: Sync) -> Mapping[str, State]:
    """Return the states in the cursor; none when it is of another API, or of another version of it."""
    cursor = sync.cursor or {}
    fits = cursor.get("for") == _fingerprint(connection, sync) and cursor.get("format") == FORMAT
    states: Mapping[str, State] = cursor["endpoints"] if fits else {}
    return {name: state for name, state in states.items() if name in connection.endpoints}


__all__ = ["Connection", "Endpoint", "extract", "setup_tests", "streams"]
