"""Copy an object, move one, and make an earlier version the latest: three uses of one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import Copy, RestoreVersion
from leat.sources.cloud_storage.s3.actions.objects import (
    Object,
    Version,
    check_condition,
    condition_of,
    copy,
    is_versioned,
    look_at,
    outdated,
    remove,
    same_content,
    versions,
    written,
)
from leat.sources.cloud_storage.s3.actions.planning import (
    NO_VERSIONS,
    differences,
    expect,
    probe_mark,
    target_of,
    undo_writing,
)
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.errors import Outdated

MOST_COPIED = 5 * 2**30
"""Bytes that S3 copies with one request."""


def _plan_copy(storage: Storage, id_: str, wanted: Copy) -> Plan:
    return _plan(storage, wanted, "copy")


def _plan_move(storage: Storage, id_: str, wanted: Copy) -> Plan:
    return _plan(storage, wanted, "move")


def _plan(storage: Storage, wanted: Copy, verb: str) -> Plan:
    source = storage.bucket(wanted.bucket)
    to = storage.bucket(wanted.to_bucket or source.name)
    name, new = target_of(source, wanted.key), target_of(to, wanted.to_key)
    if name == new:
        msg = f"to_key: {name} is there already; write another key"
        raise Refused(msg)
    versioned, what, there = is_versioned(to), look_at(source, wanted.key), look_at(to, wanted.to_key)
    expect(what, wanted.etag, name)
    if what is None:
        msg = f"there is no object {name}"
        raise Refused(msg)
    if there is not None and not wanted.replace:
        same = " with the same content" if same_content(what.etag, there.etag) else ""
        msg = f"{new} exists already{same}; replace=true replaces it"
        raise Refused(msg)
    _check_size(what, name)
    changes = [Change(new, there and there.as_json(), what.as_json())]
    warnings = [NO_VERSIONS] if there and not versioned else []
    if verb == "move":
        changes.append(Change(name, what.as_json(), None))
        if source.name != to.name:
            warnings.append("the new place may be open to other people than the old one")
    return Plan(
        title=f"{verb} {name} to {new} ({what.size:,} bytes)",
        target=new if verb == "copy" else name,
        changes=tuple(changes),
        payload=_payload(source.name, wanted.key, what, to.name, wanted.to_key, there, versioned=versioned),
        precondition=condition_of(there),
        warnings=tuple(warnings),
    )


def _payload(
    bucket: str, key: str, what: Object, to_bucket: str, to_key: str, there: Object | None, *, versioned: bool
) -> dict[str, Any]:
    return {
        "bucket": bucket,
        "key": key,
        "object": {"etag": what.etag, "size": what.size, "version_id": what.version_id, "headers": dict(what.headers)},
        "to_bucket": to_bucket,
        "to_key": to_key,
        "replaced": there and {"version_id": there.version_id, "versioned": versioned},
    }


def _check_size(what: Object, name: str) -> None:
    if what.size > MOST_COPIED:
        msg = f"{name} has more than 5 GiB, which S3 copies only in parts; use a tool that does that"
        raise Refused(msg)


def _object(payload: Mapping[str, Any]) -> Object:
    return Object(**payload["object"])


def _send_copy(storage: Storage, order: Order) -> Receipt:
    payload, what = order.plan.payload, _object(order.plan.payload)
    source, to = storage.bucket(payload["bucket"]), storage.bucket(payload["to_bucket"])
    if what.version_id is None:
        check_condition(source, payload["key"], {"etag": what.etag})
    check_condition(to, payload["to_key"], order.plan.precondition)
    etag = order.plan.precondition["etag"]
    return Receipt(written(copy(source, payload["key"], what, to, payload["to_key"], order.id, etag)))


def _probe_copy(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    return probe_mark(storage.bucket(payload["to_bucket"]), payload["to_key"], order.id)


def _confirm_copy(storage: Storage, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    payload = order.plan.payload
    there = look_at(storage.bucket(payload["to_bucket"]), payload["to_key"])
    return differences(there, order, receipt, payload["to_key"], payload["object"]["size"])


def _undo_copy(storage: Storage, order: Order, receipt: Receipt) -> Undo:
    payload = order.plan.payload
    return undo_writing(storage.bucket(payload["to_bucket"]), payload["to_key"], payload["replaced"], receipt)


def _send_move(storage: Storage, order: Order) -> Receipt:
    """Copy, unless that is done, and then delete at the old place, unless that is done."""
    payload = order.plan.payload
    source, key, etag = storage.bucket(payload["bucket"]), payload["key"], payload["object"]["etag"]
    receipt = _probe_copy(storage, order)
    if receipt is None:
        check_condition(source, key, {"etag": etag})
        receipt = _send_copy(storage, order)
    there = look_at(source, key)
    if there is None:
        return receipt
    try:
        if there.etag != etag:
            raise outdated(source, key, "somebody has changed the object")
        remove(source, key, etag)
    except Outdated as error:
        got = f"{error.got} while it was moved, so it stays; it was copied as it had been planned"
        raise Outdated(error.integration, error.asked, got, "compare both and delete one") from None
    return receipt


def _probe_move(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    is_there = look_at(storage.bucket(payload["bucket"]), payload["key"])
    return None if is_there else _probe_copy(storage, order)


def _confirm_move(storage: Storage, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    payload = order.plan.payload
    there = look_at(storage.bucket(payload["bucket"]), payload["key"])
    old = (Change(payload["key"], None, there.as_json()),) if there else ()
    return _confirm_copy(storage, order, receipt) + old


def _undo_move(_storage: Storage, order: Order, receipt: Receipt) -> Undo:
    payload = order.plan.payload
    if payload["replaced"] is not None:
        msg = "this replaced another object: move this one back, then bring that one back with restore_version"
        raise Refused(msg)
    now = {"bucket": payload["to_bucket"], "key": payload["to_key"], "etag": receipt.data["etag"]}
    return Undo("move", {**now, "to_bucket": payload["bucket"], "to_key": payload["key"]})


def _plan_restore(storage: Storage, _id: str, wanted: RestoreVersion) -> Plan:
    bucket = storage.bucket(wanted.bucket)
    name, there, every = target_of(bucket, wanted.key), look_at(bucket, wanted.key), versions(bucket, wanted.key)
    expect(there, wanted.etag, name)
    version = _version(every, wanted.version_id, name)
    if version.is_latest:
        msg = f"{version.version_id} is already the latest version of {name}"
        raise Refused(msg)
    what = look_at(bucket, wanted.key, version.version_id)
    if what is None:
        msg = f"the version {version.version_id} of {name} is gone"
        raise Refused(msg)
    what = Object(what.etag, what.size, version.version_id, what.headers)
    if there is not None and same_content(what.etag, there.etag):
        msg = f"{name} already has the content of that version"
        raise Refused(msg)
    _check_size(what, name)
    versioned = is_versioned(bucket)
    return Plan(
        title=f"restore {name} as it was on {version.modified[:16].replace('T', ' ')} UTC ({what.size:,} bytes)",
        target=name,
        changes=(Change(name, there and there.as_json(), what.as_json()),),
        payload=_payload(bucket.name, wanted.key, what, bucket.name, wanted.key, there, versioned=versioned),
        precondition=condition_of(there),
        warnings=(NO_VERSIONS,) if there and not versioned else (),
    )


def _version(every: list[Version], version_id: str | None, name: str) -> Version:
    """Return the version that is asked for, or the one before the present state."""
    contents = [each for each in every if not each.is_marker]
    if version_id is not None:
        named = [each for each in contents if each.version_id == version_id]
        if not named:
            there = ", ".join(each.version_id for each in contents[:5]) or "none"
            msg = f"version_id: {name} has no such version; it has {there}"
            raise Refused(msg)
        return named[0]
    earlier = [each for each in contents if not each.is_latest]
    if not earlier:
        msg = f"there is no earlier version of {name}"
        raise Refused(msg)
    return max(earlier, key=lambda each: each.modified)


COPY = Action(_plan_copy, _send_copy, _confirm_copy, _probe_copy, _undo_copy)
MOVE = Action(_plan_move, _send_move, _confirm_move, _probe_move, _undo_move)
RESTORE_VERSION = Action(_plan_restore, _send_copy, _confirm_copy, _probe_copy, _undo_copy)
