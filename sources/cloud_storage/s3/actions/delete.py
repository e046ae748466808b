"""Delete an object."""

from __future__ import annotations

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import Delete
from leat.sources.cloud_storage.s3.actions.objects import check_condition, is_versioned, look_at, remove
from leat.sources.cloud_storage.s3.actions.planning import expect, target_of
from leat.sources.cloud_storage.s3.actions.storage import Storage

_FOR_GOOD = "the bucket has no versioning: the object is lost, and this can't be undone"


def _plan(storage: Storage, _id: str, wanted: Delete) -> Plan:
    bucket = storage.bucket(wanted.bucket)
    versioned, there, name = is_versioned(bucket), look_at(bucket, wanted.key), target_of(bucket, wanted.key)
    expect(there, wanted.etag, name)
    if there is None:
        msg = f"{name} is already gone, or was never there"
        raise Refused(msg)
    version = there.version_id if versioned else None
    return Plan(
        title=f"delete {name} ({there.size:,} bytes)",
        target=name,
        changes=(Change(name, there.as_json(), None),),
        payload={"bucket": bucket.name, "key": wanted.key, "version_id": version},
        precondition={"etag": there.etag},
        warnings=() if version else (_FOR_GOOD,),
    )


def _send(storage: Storage, order: Order) -> Receipt:
    payload, condition = order.plan.payload, order.plan.precondition
    bucket, key = storage.bucket(payload["bucket"]), payload["key"]
    check_condition(bucket, key, condition)
    answer = remove(bucket, key, condition["etag"])
    return Receipt({"delete_marker": answer.headers.get("x-amz-version-id")})


def _probe(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    there = look_at(storage.bucket(payload["bucket"]), payload["key"])
    return None if there else Receipt({"delete_marker": None})


def _confirm(storage: Storage, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    payload = order.plan.payload
    there = look_at(storage.bucket(payload["bucket"]), payload["key"])
    return (Change(payload["key"], None, there.as_json()),) if there else ()


def _undo(_storage: Storage, order: Order, _receipt: Receipt) -> Undo:
    payload = order.plan.payload
    if payload["version_id"] is None:
        msg = "the bucket had no versioning, so the object is lost; restore it from a backup"
        raise Refused(msg)
    return Undo("restore_version", {name: payload[name] for name in ("bucket", "key", "version_id")})


DELETE = Action(_plan, _send, _confirm, _probe, _undo)
