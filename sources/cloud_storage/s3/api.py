"""Requests to an S3 server: addresses of buckets, signatures, and what its error codes mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from leat.sources.cloud_storage.s3.pages import Page, parse_page
from leat.sources.driver import Sync
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotFound,
    Rejected,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.http.client import Answer, Client, HttpRequest, Limits, open_client
from leat.sources.http.sigv4 import Keys, SigV4

ANSWERED = frozenset({301, 307, 400, 401, 403, 404, 405, 409, 501})
"""Statuses whose meaning is in the code in the body."""

_ERRORS: dict[str, tuple[type[IntegrationError], str]] = {
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "UnauthorizedAccess"),
        (Unauthenticated, "check connection.access_key and connection.secret_key"),
    ),
    **dict.fromkeys(
        ("ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        (Unauthenticated, "get new temporary credentials; connection.session_token has expired or is wrong"),
    ),
    "RequestTimeTooSkewed": (Rejected, "set the clock of this machine: it differs from the server's"),
    "NoSuchBucket": (NotFound, "create the bucket, or take it out of connection.buckets"),
    "NoSuchKey": (NotFound, "look which objects the bucket has"),
    "NoSuchVersion": (NotFound, "look which versions the object has"),
    "InvalidObjectState": (Rejected, "bring the object back from its archive first"),
    "EntityTooLarge": (Rejected, "the object is too large for one request; use a tool that uploads parts"),
    **dict.fromkeys(
        ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"),
        (Unavailable, "try again: the bytes changed on their way"),
    ),
    **dict.fromkeys(
        ("ConditionalRequestConflict", "OperationAborted"),
        (Unavailable, "try again: another request changes it at this moment"),
    ),
    **dict.fromkeys(
        (
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ),
        (Rejected, "set connection.region to the region of the bucket"),
    ),
}
_LACKING = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NotImplemented",
        "MethodNotAllowed",
        "NotSupported",
        "XNotImplemented",
        "AccessControlListNotSupported",
    }
)
_CODE = re.compile(rb"<Code>([A-Za-z.]+)</Code>")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is and how it is spoken to; ``virtual``: buckets are hosts of their own."""

    url: str
    region: str
    keys: Keys | None
    virtual: bool
    limits: Limits


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and the client that its address takes."""

    name: str
    client: Client
    path: str

    def ask(self, params: Mapping[str, str], key: str = "") -> HttpRequest:
        """Return a request for the bucket, or for an object."""
        path = self.path + ("/" + quote(key, safe="/-_.~") if key else "")
        pairs = {name: value.encode("utf-8", "surrogateescape") for name, value in params.items()}
        return HttpRequest(path or "/", params=pairs, accept=ANSWERED, template=f"/{{bucket}}{'/{key}' if key else ''}")


@contextmanager
def open_server(sync: Sync, place: Place) -> Iterator[Client]:
    """Open a session for requests that are about no bucket, or about one in the path.

    Raises:
        NotConfigured: the address can't be used.
    """
    sign = SigV4(place.keys, place.region) if place.keys else None
    with open_client(sync, place.url, sign, limits=place.limits) as client:
        yield client


@contextmanager
def open_bucket(sync: Sync, place: Place, server: Client, name: str) -> Iterator[Bucket]:
    """Give a bucket: a path of the server, or a host of its own."""
    base = urlsplit(place.url)
    if not place.virtual:
        yield Bucket(name, server, f"{base.path.rstrip('/')}/{quote(name)}")
        return
    own = base._replace(netloc=f"{name}.{base.netloc}").geturl()
    with open_server(sync, Place(own, place.region, place.keys, False, place.limits)) as client:
        yield Bucket(name, client, base.path.rstrip("/"))


def checked(client: Client, answer: Answer, bucket: str | None, right: str) -> bytes | None:
    """Return the body; None when the server has no such thing.

    Args:
        client: who asked.
        answer: what came.
        bucket: what it was asked about; None for the server.
        right: the right that it takes, for advice.

    Raises:
        IntegrationError: the server refuses.
    """
    if answer.status < 300:
        return answer.body
    match = _CODE.search(answer.body)
    code = match[1].decode() if match else ""
    if code in _LACKING or answer.status in (405, 501):
        return None
    raise _refusal(client, answer, code, bucket, right)


def _refusal(client: Client, answer: Answer, code: str, bucket: str | None, right: str) -> IntegrationError:
    asked = answer.asked if bucket is None else f"{answer.asked} (bucket {bucket})"
    got = f"HTTP {answer.status} {code}".strip()
    kind, advice = _ERRORS.get(code, (None, ""))
    if kind is None and (answer.status == 403 or code == "AccessDenied"):
        what = f"allow {right} to the account"
        if bucket is not None and right.startswith(("s3:Get", "s3:List")):
            what = f"{what}, or name the buckets to read in connection.buckets"
        kind, advice = Forbidden, what
    if kind is None and answer.status == 401:
        kind, advice = Unauthenticated, "check connection.access_key and connection.secret_key"
    if kind is None and answer.status == 404:
        kind, advice = NotFound, "check that connection.url is the address of an S3 server"
    if kind is None and answer.status in (301, 307):
        kind, advice = Rejected, "set connection.region to the region of the bucket"
    return (kind or Rejected)(client.integration, asked, got, advice or "check connection.url and connection.region")


def fetcher(bucket: Bucket, versions: bool) -> Callable[[Mapping[str, str]], Page]:
    """Return what asks for pages of a listing: of versions, or of objects as they are."""
    kind = {"versions": ""} if versions else {"list-type": "2", "fetch-owner": "true"}
    right = "s3:ListBucketVersions" if versions else "s3:ListBucket"

    def fetch(params: Mapping[str, str]) -> Page:
        answer = bucket.client.send(bucket.ask({**kind, "encoding-type": "url", "max-keys": "1000", **params}))
        body = checked(bucket.client, answer, bucket.name, right)
        try:
            return parse_page(body or b"")
        except ValueError as error:
            raise UnexpectedShape(
                bucket.client.integration,
                f"{answer.asked} (bucket {bucket.name})",
                str(error),
                "try again; if it stays, look at what is between here and the server",
            ) from None

    return fetch
