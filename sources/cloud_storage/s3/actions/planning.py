"""What plans, proofs and undoing of objects have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.actions import Change, Order, Receipt, Refused, Undo
from leat.sources.cloud_storage.s3.actions.objects import Object, look_at
from leat.sources.cloud_storage.s3.api import Bucket

NO_VERSIONS = "the bucket has no versioning: what is there now is lost"


def target_of(bucket: Bucket, key: str) -> str:
    """Return what people call an object."""
    return f"{bucket.name}/{key}"


def expect(there: Object | None, etag: str | None, name: str) -> None:
    """Refuse an action on an object that isn't the expected one.

    Raises:
        Refused: it has another ETag, or is gone.
    """
    if etag is not None and (there is None or there.etag != etag):
        is_now = "gone" if there is None else f"{there.etag} now"
        msg = f"somebody has changed {name} since: its ETag was {etag} and is {is_now}; look at it and decide again"
        raise Refused(msg)


def probe_mark(bucket: Bucket, key: str, mark: str) -> Receipt | None:
    """Return the receipt of an object that an action has written; None when another one or none is there."""
    there = look_at(bucket, key)
    if there is None or there.made_by() != mark:
        return None
    return Receipt({"etag": there.etag, "version_id": there.version_id})


def differences(
    there: Object | None, order: Order, receipt: Receipt, key: str, size: int | None = None
) -> tuple[Change, ...]:
    """Return how an object differs from what an action has written."""
    if there is None:
        return (Change(key, "an object", None),)
    changed = []
    if there.made_by() != order.id:
        changed.append(Change("action that wrote it", order.id, there.made_by()))
    if receipt.data.get("etag") and there.etag != receipt.data["etag"]:
        changed.append(Change("ETag", receipt.data["etag"], there.etag))
    if size is not None and there.size != size:
        changed.append(Change("bytes", size, there.size))
    return tuple(changed)


def undo_writing(bucket: Bucket, key: str, replaced: Mapping[str, Any] | None, receipt: Receipt) -> Undo:
    """Return what takes back that an object was written: its deletion, or the version that was there before.

    Args:
        bucket: where it is.
        key: its key.
        replaced: ``version_id`` and ``versioned`` of what was there before; None for nothing.
        receipt: of the writing.

    Raises:
        Refused: there is no version of what was there before.
    """
    unchanged = {"bucket": bucket.name, "key": key, "etag": receipt.data["etag"]}
    if replaced is None:
        return Undo("delete", unchanged)
    if not (replaced["versioned"] and replaced["version_id"]):
        msg = f"{target_of(bucket, key)} replaced an object, and there is no version of that, so this can't be undone"
        raise Refused(msg)
    return Undo("restore_version", {**unchanged, "version_id": replaced["version_id"]})
