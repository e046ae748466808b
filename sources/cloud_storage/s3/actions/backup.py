"""Back up the objects of a folder: each is copied by the server, read again for its SHA-256, and listed in a manifest.

What is there when it is sent is backed up. If it is interrupted, it goes on with what is missing; only when all is
there is the manifest written, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import Backup
from leat.sources.cloud_storage.s3.actions.copy import MOST_COPIED
from leat.sources.cloud_storage.s3.actions.hashes import Progress, sha256_of
from leat.sources.cloud_storage.s3.actions.objects import copy, look_at, marked, outdated, write, written
from leat.sources.cloud_storage.s3.actions.planning import differences, probe_mark
from leat.sources.cloud_storage.s3.actions.runs import (
    MANIFEST,
    OBJECTS,
    Listed,
    declared_backup,
    list_objects,
    read_manifest,
    work_in_parts,
)
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.errors import Outdated

MOST_OBJECTS = 10_000
"""Objects in one run."""
_LONGEST_KEY = 1024


def _plan(storage: Storage, id_: str, wanted: Backup) -> Plan:
    backup, source = declared_backup(storage, wanted.backup), storage.bucket(wanted.bucket)
    to = storage.bucket(backup.bucket)
    if source.name == to.name and not backup.prefix:
        msg = f"bucket: the backup {backup.name} is all of {to.name}, so it can't take in that bucket itself"
        raise Refused(msg)
    run = f"{storage.sync.now:%Y%m%dT%H%M%SZ}-{id_[:8]}"
    folder = f"{backup.prefix}{run}/"
    payload = {
        "backup": backup.name,
        "run": run,
        "bucket": source.name,
        "prefix": wanted.prefix,
        "to_bucket": to.name,
        "to_folder": folder,
    }
    objects = _sources(storage, payload)
    place = f"{source.name}/{wanted.prefix}"
    if not objects:
        msg = f"there is nothing to back up below {place}"
        raise Refused(msg)
    _check(objects, folder)
    size = sum(each.size for each in objects)
    return Plan(
        title=f"back up {place} as {backup.name}: {len(objects):,} objects, {size:,} bytes",
        target=f"{to.name}/{backup.prefix}",
        changes=(Change(f"{to.name}/{folder}", None, {"objects": len(objects), "bytes": size}),),
        payload=payload,
        warnings=("what is there when it is sent is backed up, not what is there now",),
    )


def _sources(storage: Storage, payload: Mapping[str, Any]) -> list[Listed]:
    """Return the objects to back up: all but the backups themselves, and what restore tests write."""
    name = payload["bucket"]
    left_out = tuple(each.prefix for each in storage.declared.backups if each.bucket == name and each.prefix)
    listed = list_objects(storage.bucket(name), payload["prefix"])
    return [each for each in listed if not (left_out and each.key.startswith(left_out))]


def _check(objects: list[Listed], folder: str) -> None:
    if len(objects) > MOST_OBJECTS:
        msg = (
            f"{len(objects):,} objects are more than {MOST_OBJECTS:,}: back up several folders, or let the server copy"
        )
        raise Refused(msg)
    large = next((each.key for each in objects if each.size > MOST_COPIED), None)
    if large is not None:
        msg = f"{large} has more than 5 GiB, which S3 copies only in parts; use a tool that does that"
        raise Refused(msg)
    longest = max(
        (f"{folder}{OBJECTS}{each.key}" for each in objects), key=lambda key: len(key.encode("utf-8", "replace"))
    )
    if len(longest.encode("utf-8", "replace")) > _LONGEST_KEY:
        msg = f"a key would have more than {_LONGEST_KEY} bytes: {longest[:80]}…"
        raise Refused(msg)
    odd = next((each.key for each in objects if not each.key.isprintable() or "//" in each.key), None)
    if odd is not None:
        msg = f"the key {odd!a} can't be copied: it has an empty part or characters that can't be printed"
        raise Refused(msg)


def _send(storage: Storage, order: Order) -> Receipt:
    payload = order.plan.payload
    receipt = _probe(storage, order)
    if receipt is not None:
        return receipt
    to, objects = storage.bucket(payload["to_bucket"]), _sources(storage, payload)
    progress = Progress(storage.sync.folder, order.id)
    began_at = (order.sent_at or datetime.now(UTC)).isoformat(timespec="seconds")

    def save(each: Listed) -> None:
        there = _save(storage, order, each)
        if there is not None:
            progress.note(each.key, {"etag": each.etag, **there})

    left = [each for each in objects if (progress.get(each.key) or {}).get("etag") != each.etag]
    work_in_parts(storage, left, len(objects), save)
    saved: list[dict[str, Any]] = [
        {"key": each.key, "size": int(done["size"]), "sha256": done["sha256"]}
        for each in objects
        if (done := progress.get(each.key)) is not None
    ]
    manifest = {
        **{name: payload[name] for name in ("backup", "run")},
        "action": order.id,
        "source": {"bucket": payload["bucket"], "prefix": payload["prefix"]},
        "began_at": began_at,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "objects": saved,
    }
    content = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    headers = marked({"content-type": "application/json"}, order.id)
    answer = write(to, payload["to_folder"] + MANIFEST, content, headers, None)
    progress.forget()
    return Receipt({**written(answer), "objects": len(saved), "bytes": sum(each["size"] for each in saved)})


def _save(storage: Storage, order: Order, what: Listed) -> dict[str, str] | None:
    """Copy an object as it is now, and return size and SHA-256 of the copy; None when it is gone."""
    payload = order.plan.payload
    source, to = storage.bucket(payload["bucket"]), storage.bucket(payload["to_bucket"])
    key = f"{payload['to_folder']}{OBJECTS}{what.key}"
    replaced: str | None = None
    for _ in range(3):
        now = look_at(source, what.key)
        if now is None:
            return None
        try:
            answer = copy(source, what.key, now, to, key, order.id, replaced)
        except Outdated:  # the object has changed, or an attempt before has copied it
            there = look_at(to, key)
            replaced = None if there is None else there.etag
            continue
        return {"size": str(now.size), "sha256": sha256_of(to, key, str(written(answer)["etag"]), now.size)}
    raise outdated(source, what.key, "it changes all the time")


def _probe(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    bucket, key = storage.bucket(payload["to_bucket"]), payload["to_folder"] + MANIFEST
    receipt = probe_mark(bucket, key, order.id)
    if receipt is None:
        return None
    objects = read_manifest(bucket, key)["objects"]
    return Receipt({**receipt.data, "objects": len(objects), "bytes": sum(each["size"] for each in objects)})


def _confirm(storage: Storage, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare what is listed with the manifest; a restore test compares the contents."""
    payload, folder = order.plan.payload, order.plan.payload["to_folder"]
    bucket = storage.bucket(payload["to_bucket"])
    changed = differences(look_at(bucket, folder + MANIFEST), order, receipt, MANIFEST)
    if changed:
        return changed
    there = {each.key: each.size for each in list_objects(bucket, folder + OBJECTS)}
    objects = {
        f"{folder}{OBJECTS}{each['key']}": each["size"] for each in read_manifest(bucket, folder + MANIFEST)["objects"]
    }
    wrong = [key for key in objects if there.get(key) != objects[key]]
    return tuple(Change(key, objects[key], there.get(key)) for key in wrong[:10])


def _undo(_storage: Storage, order: Order, _receipt: Receipt) -> Undo:
    return Undo("delete_backup", {name: order.plan.payload[name] for name in ("backup", "run")})


BACKUP = Action(_plan, _send, _confirm, _probe, _undo)
