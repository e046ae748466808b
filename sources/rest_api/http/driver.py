"""Driver for REST APIs that speak JSON over HTTP: of the address of a list, leat proposes paging, key and columns."""

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
from leat.sources.http.address import url_problem
from leat.sources.http.auth import Auth, NoAuth, sign_in
from leat.sources.http.client import Advice, Client, Limits, Version, open_client
from leat.sources.rest_api.declaration.action import ActionOptions
from leat.sources.rest_api.declaration.column import MARK, unmarked_by_name
from leat.sources.rest_api.declaration.endpoint import Endpoint, personal_columns, stream_of
from leat.sources.rest_api.declaration.paging_styles import Block
from leat.sources.rest_api.diagnostics.actions import action_diagnostics
from leat.sources.rest_api.diagnostics.endpoints import endpoint_diagnostics, endpoint_gaps
from leat.sources.rest_api.reading.families import Families, Reach
from leat.sources.rest_api.reading.listed import Reading, State
from leat.sources.rest_api.reading.spool import spool_folder
from leat.sources.rest_api.reading.watermark import state_from, takes_dates
from leat.sources.sample import Sample
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
    actions: dict[str, ActionOptions] = Field(default_factory=dict, description="What leat can do there, by verb.")
    action_auth: Auth | None = Field(default=None, description="Who acts; default: who reads.")
    rate: float | None = Field(default=None, gt=0, description="Maximum requests per second with this credential.")
    burst: int = Field(default=1, ge=1, description="Requests allowed at once after a pause, as part of rate.")
    reserve: float = Field(
        default=0.1, ge=0, lt=1, description="Share of the API's own limit to leave to other clients."
    )
    in_flight: int = Field(default=4, ge=1, le=32, description="Number of requests in parallel.")
    timeout: float = Field(default=30, gt=0, le=600, description="Seconds to wait for the next bytes of a response.")
    allow_private: bool = Field(default=True, description="Whether the host may be this machine or a private one.")

    def diagnostics(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what the types can't say of the URL, the endpoints and the actions."""
        problem = url_problem(self.url)
        if problem is not None:
            yield ("url",), problem
        for loc, text in endpoint_diagnostics(self.endpoints):
            yield ("endpoints", *loc), text
        for loc, text in action_diagnostics(self.actions):
            yield ("actions", *loc), text

    def gaps(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the endpoints that have no columns yet."""
        for loc, text in endpoint_gaps(self.endpoints):
            yield ("endpoints", *loc), text

    def warnings(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the columns that are probably personal data, by their names, and aren't marked."""
        for name, endpoint in self.endpoints.items():
            for column, meaning in unmarked_by_name(endpoint.columns).items():
                yield ("endpoints", name, "columns", column), f"probably {meaning}; {MARK}"

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
    samples = _samples(connection, sync)
    failures = [each.error for each in samples if each.error is not None]
    away = [error for error in failures if not (isinstance(error, Permanent) and error.reached)]
    url = read_setting(connection.url, sync.integration, sync.project)
    yield SetupTest("reachable", not away, str(away[0]) if away else f"{url} answers")
    if away:
        return
    refused = [error for error in failures if isinstance(error, Unauthenticated)]
    if refused:
        yield SetupTest("authenticated", ok=False, detail=str(refused[0]))
        return
    readable = [each.stream for each in samples if each.error is None]
    if readable:
        yield SetupTest("authenticated", ok=True, detail="the API accepts the credentials")
    denied = [error for error in failures if isinstance(error, Forbidden)]
    if denied or readable:
        yield SetupTest("may read", not denied, str(denied[0]) if denied else ", ".join(readable))
    for each in samples:
        if not isinstance(each.error, Forbidden):
            yield SetupTest(f"reads {each.stream}", each.is_good, each.words)


def _samples(connection: Connection, sync: Sync) -> list[Sample]:
    """Return a sample of each stream, up to the first that can't be read for a reason that concerns all."""
    samples: list[Sample] = []
    for each in sample(connection, sync):
        samples.append(each)
        if isinstance(each.error, Unauthenticated) or not isinstance(each.error, Permanent | None):
            break
    return samples


def sample(connection: Connection, sync: Sync) -> Iterator[Sample]:
    """Yield what two pages of each list have; below an endpoint, for one of its rows."""
    from leat.sources.rest_api.preview.samples import Sampling

    with open_api(connection, sync) as client, TemporaryDirectory(prefix="sample-", dir=sync.folder) as folder:
        yield from Sampling(client, connection.endpoints, Path(folder), sync).samples()


def since_streams(connection: Connection) -> frozenset[str]:
    """Return the endpoints that can be asked for what has changed from a date on, and all that are read with them."""
    streams = {n for n, e in connection.endpoints.items() if takes_dates(e) and e.parent is None}
    while more := {n for n, e in connection.endpoints.items() if _outside(e) in streams} - streams:
        streams |= more
    return frozenset(streams)


def _outside(endpoint: Endpoint) -> str | None:
    return endpoint.nested_in or (endpoint.parent.endpoint if endpoint.parent else None)


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``; an endpoint that can't be read fails its streams alone.

    Raises:
        IntegrationError: the credentials are refused, or the server can't be reached; the cursor then stays.
    """
    before = _usable(connection, sync)
    if sync.since is not None:
        before = {
            name: {**state_from(endpoint, sync.since, sync.now), "streams": list(connection.endpoints)}
            for name, endpoint in connection.endpoints.items()
            if takes_dates(endpoint) and endpoint.parent is None
        }
        sync = replace(sync, streams=sync.streams & since_streams(connection))
    states: dict[str, State] = {}
    reach = Reach()
    watched = reach.watch(sync)
    with open_api(connection, watched) as client, spool_folder(sync.folder) as folder:
        families = Families(connection.endpoints, Reading(client, folder, watched), before, reach)
        for event in families.read():
            if isinstance(event, tuple):
                states[event[0]] = event[1]
            else:
                yield event
    after = {"for": _fingerprint(connection, sync), "format": FORMAT, "endpoints": {**before, **states}}
    if states and to_json(after) != to_json(dict(sync.cursor or {})):
        yield Cursor(after)


def open_api(
    connection: Connection, sync: Sync, auth: Auth | None = None, what: str = "endpoint"
) -> AbstractContextManager[Client]:
    """Open the API.

    Args:
        connection: where it is and how it wants to be asked.
        sync: for whom.
        auth: who asks; None for who reads.
        what: what a request is declared as, for advice about a failure.
    """
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
    account = "connection.auth" if auth in (None, connection.auth) else "connection.action_auth"
    advice = Advice(
        unauthenticated=f"check {account}: the credential is wrong, or has expired or was revoked; make a new one",
        forbidden=f"give the account of {account} the right to do this, or take the {what} out",
        not_found=f"correct the {what}'s path, or connection.url, or take the {what} out",
        rejected=f"correct the {what}'s path and params",
    )
    accepted = connection.version
    version = None if accepted is None else Version(accepted.value, accepted.header, accepted.served)
    headers = {"Accept": "application/json", **connection.headers}
    signer = sign_in(auth or connection.auth, sync)
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
