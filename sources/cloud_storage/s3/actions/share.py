"""Make a link to an object that works for a time, without asking the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import Share
from leat.sources.cloud_storage.s3.actions.objects import check_condition, condition_of, look_at
from leat.sources.cloud_storage.s3.actions.planning import target_of
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.cloud_storage.s3.api import Bucket
from leat.sources.errors import NotConfigured
from leat.sources.http.address import below
from leat.sources.http.client import HttpRequest, open_client
from leat.sources.http.sigv4 import SigV4, presigned_url
from leat.sources.settings import remember_secret

_WORKS = frozenset({200, 206, 416})
"""Answers to a request for the first byte; of an empty object there is none."""


def _plan(storage: Storage, _id: str, wanted: Share) -> Plan:
    bucket = storage.bucket(wanted.bucket)
    there, name = look_at(bucket, wanted.key), target_of(bucket, wanted.key)
    if there is None:
        msg = f"there is no object {name}"
        raise Refused(msg)
    warnings = ["the link can't be taken back before it ends; whoever has it can read the object and pass it on"]
    if storage.place.keys is not None and storage.place.keys.session_token:
        warnings.append("the credentials are temporary: the link ends with them, if that is sooner")
    return Plan(
        title=f"share {name} with everybody who has the link, for {wanted.hours} hours",
        target=name,
        changes=(Change(name, "read by those who have access", "read by everybody who has the link"),),
        payload={"bucket": bucket.name, "key": wanted.key, "seconds": wanted.hours * 3600},
        precondition=condition_of(there),
        warnings=tuple(warnings),
    )


def _send(storage: Storage, order: Order) -> Receipt:
    """Make the link, and try it before it is shown."""
    payload = order.plan.payload
    bucket, key = storage.bucket(payload["bucket"]), payload["key"]
    check_condition(bucket, key, order.plan.precondition)
    keys, now = storage.place.keys, datetime.now(UTC)
    if keys is None:
        asked, got = "signing a link", "there are no credentials"
        raise NotConfigured(storage.sync.integration, asked, got, "set connection.access_key")
    url = below(bucket.client.url, bucket.ask({}, key).path)
    link = presigned_url(url, SigV4(keys, storage.place.region), now, payload["seconds"])
    remember_secret(link.rpartition("=")[2])
    _try(storage, bucket, link)
    ends = now.replace(microsecond=0) + timedelta(seconds=payload["seconds"])
    return Receipt({"expires_at": ends.isoformat()}, shown={"link": link})


def _try(storage: Storage, bucket: Bucket, link: str) -> None:
    parts = urlsplit(link)
    ask = HttpRequest(
        parts._replace(query="").geturl(),
        params=parse_qsl(parts.query),
        headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"},
        accept=_WORKS,
        template="/{bucket}/{key}",
    )
    with open_client(storage.sync, bucket.client.url, limits=storage.place.limits) as anybody:
        anybody.send(ask)


def _probe(_storage: Storage, _order: Order) -> Receipt | None:
    """Return nothing: a server knows no links, and a second one does no harm."""
    return None


def _confirm(storage: Storage, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    payload = order.plan.payload
    there = look_at(storage.bucket(payload["bucket"]), payload["key"])
    planned, is_now = order.plan.precondition["etag"], there and there.etag
    return () if planned == is_now else (Change("ETag", planned, is_now),)


def _undo(_storage: Storage, order: Order, receipt: Receipt) -> Undo:
    msg = (
        f"the link ends at {receipt.data['expires_at']} by itself; to end it sooner, move the object "
        f"{order.plan.target} or replace the access key that leat uses"
    )
    raise Refused(msg)


SHARE = Action(_plan, _send, _confirm, _probe, _undo)
