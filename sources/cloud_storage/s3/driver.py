"""Driver for servers of the S3 API: AWS S3, MinIO, SeaweedFS, Ceph, Cloudflare R2 and others.

Buckets are listed completely each time, sharded by prefix with requests in flight. One with versioning is listed by
versions, which gives objects, older versions and delete markers at once. A bucket that the account may not read fails
alone: its rows stay as they were, and the run says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from leat.sources.cloud_storage.declared import Backup, Declared, Owner, Quota, Reports
from leat.sources.cloud_storage.reading import Listable, Row, read_storage
from leat.sources.cloud_storage.s3.api import Bucket, Place, checked, fetcher, open_bucket, open_server
from leat.sources.cloud_storage.s3.buckets import BucketSettings, list_buckets, read_bucket
from leat.sources.cloud_storage.shards import list_bucket
from leat.sources.cloud_storage.sorted_lines import Listing
from leat.sources.cloud_storage.trouble import Trouble
from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import IntegrationError, NotConfigured, UnexpectedShape
from leat.sources.events import Event
from leat.sources.http.address import moves
from leat.sources.http.client import Client, Limits
from leat.sources.http.sigv4 import Keys
from leat.sources.settings import Secret, Setting, read_secret, read_setting
from leat.sources.setup_tests import try_sign_in


class Connection(ConnectionModel):
    """Where the buckets are, how to sign in, and what the server can't report."""

    url: Setting | None = Field(default=None, description="Address of the server; none for AWS.")
    region: Setting = Field(default="us-east-1", description="Region of the buckets.")
    access_key: Setting | None = Field(
        default=None, description="Access key; without it, leat looks where the AWS tools do: variables, profile, role."
    )
    secret_key: Secret | None = Field(default=None, description="Its secret.")
    session_token: Secret | None = Field(default=None, description="Session token of temporary credentials.")
    action_access_key: Setting | None = Field(
        default=None, description="Access key that actions use instead, so that loads need no right to write."
    )
    action_secret_key: Secret | None = Field(default=None, description="Secret of action_access_key.")
    addressing: Literal["path", "virtual"] | None = Field(
        default=None, description="Whether to address buckets as paths or as hosts; default: paths, and hosts on AWS."
    )
    buckets: tuple[str, ...] | None = Field(default=None, description="Buckets to read; none for all of the account.")
    owners: tuple[Owner, ...] = Field(default=(), description="Owners of folders, if the server doesn't report them.")
    quotas: tuple[Quota, ...] = Field(default=(), description="How much may be stored.")
    backups: tuple[Backup, ...] = Field(default=(), description="Where backups are written.")
    restore_tests: tuple[Reports, ...] = Field(default=(), description="Where reports of restore tests are written.")
    in_flight: int = Field(default=8, ge=1, le=64, description="Number of requests in parallel.")
    timeout: float = Field(default=60, gt=0, le=600, description="Seconds to wait for a response.")

    def declared(self) -> Declared:
        """Return what the server can't know."""
        parts = {"owners": self.owners, "quotas": self.quotas, "backups": self.backups}
        return Declared(**parts, restore_tests=self.restore_tests)


def borrows(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield the settings by which a connection uses keys of this machine, and what to write instead."""
    if connection.access_key is None or connection.secret_key is None:
        yield "access_key", "without access_key and secret_key, leat would use the keys of this machine; name both"


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Try the connection step by step; stops at the first step that fails."""
    place = place_of(connection, sync)
    with open_server(sync, place) as client, ExitStack() as stack:
        rows: list[Row] = []
        buckets: list[Bucket] = []

        def ask() -> None:
            rows.extend(bucket_rows(connection, place, client))
            buckets.extend(stack.enter_context(open_bucket(sync, place, client, str(row["bucket"]))) for row in rows)
            if connection.buckets and buckets:
                fetcher(buckets[0], False)({"max-keys": "1"})

        answer = yield from try_sign_in(ask, f"{place.url} answers", "the server accepts the keys")
        if answer is None:
            return
        names = ", ".join(str(row["bucket"]) for row in rows) or "the account has no bucket"
        yield SetupTest("may list buckets", answer.failure is None, str(answer.failure or names))
        if answer.failure is None:
            yield _try("may list objects", [partial(fetcher(bucket, False), {"max-keys": "1"}) for bucket in buckets])
            pairs = zip(buckets, rows, strict=True)
            yield _try("may read settings", [partial(read_bucket, bucket, row, sync.streams) for bucket, row in pairs])


def _try(name: str, tries: list[Callable[[], object]]) -> SetupTest:
    try:
        for attempt in tries:
            attempt()
    except IntegrationError as error:
        return SetupTest(name, False, str(error))
    return SetupTest(name, True, "of every bucket")


def extract(connection: Connection, sync: Sync) -> Iterator[Event]:
    """Yield what changed since ``sync.cursor``.

    Raises:
        IntegrationError: no bucket can be read; the cursor then stays where it was.
    """
    place = place_of(connection, sync)
    with open_server(sync, place) as client, ExitStack() as stack:
        rows = bucket_rows(connection, place, client)
        buckets = [stack.enter_context(open_bucket(sync, place, client, str(row["bucket"]))) for row in rows]
        trouble = Trouble()
        settings: list[BucketSettings] = []
        listable: list[Listable] = []
        for bucket, row in zip(buckets, rows, strict=True):
            each = trouble.tried(bucket.name, partial(read_bucket, bucket, row, sync.streams))
            versioned = each is not None and each.versioned
            settings += [] if each is None else [each]
            reading = partial(_list, bucket, versioned, connection, sync)
            listable.append(Listable(bucket.name, reading, partial(_read, bucket)))
        trouble.check(len(buckets))
        about = [place.url, place.virtual, connection.buckets]
        yield from read_storage(sync, about, connection.declared(), listable, _whole(settings), trouble)


def _whole(settings: list[BucketSettings]) -> dict[str, list[Row]]:
    names = ("permissions", "shares", "lifecycle_rules", "multipart_uploads")
    rows: dict[str, list[Row]] = {name: [row for each in settings for row in each.rows[name]] for name in names}
    return {"buckets": [each.row for each in settings], **rows}


def _list(bucket: Bucket, versioned: bool, connection: Connection, sync: Sync, folder: Path, target: Path) -> Listing:
    def progress(count: int) -> None:
        sync.progress(f"list {bucket.name}", count)

    try:
        return list_bucket(fetcher(bucket, versioned), folder, target, connection.in_flight, progress)
    except ValueError as error:
        asked = f"listing bucket {bucket.name}"
        raise UnexpectedShape(sync.integration, asked, str(error), "look at the server's log") from None


def _read(bucket: Bucket, key: str) -> bytes:
    if any(part and moves(part) for part in key.split("/")):
        msg = "a part of its name is a step, so that no address leads to it"
        raise ValueError(msg)
    answer = bucket.client.send(bucket.ask({}, key))
    return checked(bucket.client, answer, bucket.name, "s3:GetObject") or b""


def bucket_rows(connection: Connection, place: Place, client: Client) -> list[Row]:
    """Return the buckets of a connection as rows: those that it names, else those of the account.

    Raises:
        IntegrationError: they can't be listed.
    """
    if connection.buckets is not None:
        return [{"bucket": name} for name in sorted(set(connection.buckets))]
    rows: list[Row] = [*list_buckets(client, urlsplit(place.url).path or "/")]
    return rows


def place_of(connection: Connection, sync: Sync) -> Place:
    """Return where a connection leads, with the credentials.

    Raises:
        NotConfigured: a setting that it names isn't there.
    """
    region = read_setting(connection.region, sync.integration, sync.project)
    aws = f"https://s3.{region}.amazonaws.com/"
    url = read_setting(connection.url, sync.integration, sync.project) if connection.url is not None else aws
    virtual = connection.addressing == "virtual" or (connection.addressing is None and connection.url is None)
    limits = Limits(timeout=connection.timeout, in_flight=connection.in_flight)
    return Place(url, region, _keys(connection, sync), virtual, limits)


def _keys(connection: Connection, sync: Sync) -> Keys:
    if connection.access_key is None:
        return _keys_of_environment(sync)
    if connection.secret_key is None:
        advice = "name it: secret_key: {env: NAME}"
        raise NotConfigured(sync.integration, "reading connection.secret_key", "it is missing", advice)
    token = connection.session_token
    return Keys(
        read_setting(connection.access_key, sync.integration, sync.project),
        read_secret(connection.secret_key, sync.integration, sync.project),
        read_secret(token, sync.integration, sync.project) if token is not None else None,
    )


def _keys_of_environment(sync: Sync) -> Keys:
    """Return the credentials that the tools of AWS would use here."""
    import botocore.session  # type: ignore[import-untyped]

    credentials = botocore.session.get_session().get_credentials()
    if credentials is None:
        asked, got = "looking for credentials as the tools of AWS do", "there are none"
        raise NotConfigured(sync.integration, asked, got, "set connection.access_key and connection.secret_key")
    keys = credentials.get_frozen_credentials()
    return Keys(keys.access_key, keys.secret_key, keys.token)
