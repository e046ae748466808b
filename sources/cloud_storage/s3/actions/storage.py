"""The storage that actions are done in: its buckets, each opened when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from leat.sources.actions import Refused
from leat.sources.cloud_storage.declared import Declared
from leat.sources.cloud_storage.s3.api import Bucket, Place, open_bucket, open_server
from leat.sources.cloud_storage.s3.driver import Connection, bucket_rows, place_of
from leat.sources.driver import Sync
from leat.sources.errors import NotConfigured
from leat.sources.http.client import Client, Limits

TIMEOUT = 50.0
"""Seconds that a request may take at most; a step of an action takes no more than a minute."""


@dataclass(slots=True)
class Storage:
    """A server that takes actions.

    Attributes:
        sync: names the integration and the project.
        place: where the server is.
        client: for requests about no bucket.
        connection: the declaration.
    """

    sync: Sync
    place: Place
    client: Client
    connection: Connection
    _stack: ExitStack
    _open: dict[str, Bucket] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        """The project folder."""
        return self.sync.project

    @property
    def declared(self) -> Declared:
        """What the declaration says of backups and reports."""
        return self.connection.declared()

    def bucket(self, name: str | None) -> Bucket:
        """Return a bucket; the only one there is if no name is given.

        Raises:
            Refused: there are several, or the declaration reads others only.
            IntegrationError: the buckets can't be listed.
        """
        if name is None:
            names = [str(row["bucket"]) for row in bucket_rows(self.connection, self.place, self.client)]
            if len(names) != 1:
                msg = f"bucket: name one: {', '.join(names) or 'there is none yet'}"
                raise Refused(msg)
            [name] = names
        allowed = self.connection.buckets
        if allowed is not None and name not in allowed:
            msg = f"bucket: {name} isn't among connection.buckets, which are {', '.join(sorted(allowed))}"
            raise Refused(msg)
        if name not in self._open:
            self._open[name] = self._stack.enter_context(open_bucket(self.sync, self.place, self.client, name))
        return self._open[name]


@contextmanager
def connect(connection: Connection, sync: Sync) -> Iterator[Storage]:
    """Open the server for actions; no request that changes something is sent twice by it.

    The keys are ``action_access_key`` and ``action_secret_key``, or those of loads where they aren't given.

    Raises:
        NotConfigured: a setting isn't there, or the address can't be used.
    """
    if connection.action_access_key is not None:
        if connection.action_secret_key is None:
            asked, got = "reading connection.action_secret_key", "it is missing"
            raise NotConfigured(sync.integration, asked, got, "name it: action_secret_key: {env: NAME}")
        keys = {"access_key": connection.action_access_key, "secret_key": connection.action_secret_key}
        connection = connection.model_copy(update={**keys, "session_token": None})
    place = place_of(connection, sync)
    timeout = min(connection.timeout, TIMEOUT)
    limits = Limits(timeout=timeout, total=TIMEOUT, attempts=1, in_flight=connection.in_flight)
    place = Place(place.url, place.region, place.keys, place.virtual, limits)
    with open_server(sync, place) as client, ExitStack() as stack:
        yield Storage(sync, place, client, connection, stack)
