"""Delete runs of a backup: one, or those that are older than some days. Only runs that leat has made are touched.

The manifest of a run goes first, so that what is left of it is never taken for a complete one.
"""

from __future__ import annotations

import json
from datetime import timedelta

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import DeleteBackup, PruneBackups
from leat.sources.cloud_storage.s3.actions.objects import look_at, outdated, remove
from leat.sources.cloud_storage.s3.actions.runs import (
    MANIFEST,
    Listed,
    Run,
    declared_backup,
    list_objects,
    list_runs,
    work_in_parts,
)
from leat.sources.cloud_storage.s3.actions.storage import Storage

_LISTING = "objects"


def _plan_prune(storage: Storage, _id: str, wanted: PruneBackups) -> Plan:
    runs = _runs(storage, wanted.backup)
    newest = next((each for each in reversed(runs) if each.manifest), None)
    before = storage.sync.now - timedelta(days=wanted.older_than_days)
    old = [each for each in runs if each.began_at < before and each is not newest]
    if not old:
        msg = f"{wanted.backup} has no run of leat that is older than {wanted.older_than_days} days and may go"
        raise Refused(msg)
    title = f"delete {len(old)} run{'s' if len(old) > 1 else ''} of {wanted.backup} from before {before:%Y-%m-%d}"
    return _plan(storage, wanted.backup, old, title, newest, ())


def _plan_delete(storage: Storage, _id: str, wanted: DeleteBackup) -> Plan:
    runs = _runs(storage, wanted.backup)
    run = next((each for each in runs if each.name == wanted.run), None)
    if run is None:
        msg = f"run: {wanted.backup} has no run {wanted.run}, or it is already gone"
        raise Refused(msg)
    complete = [each for each in runs if each.manifest]
    warnings = ("it is the latest complete run of this backup",) if complete[-1:] == [run] else ()
    return _plan(storage, wanted.backup, [run], f"delete run {run.name} of {wanted.backup}", None, warnings)


def _runs(storage: Storage, name: str) -> list[Run]:
    backup = declared_backup(storage, name)
    return list_runs(storage.bucket(backup.bucket), backup)


def _plan(
    storage: Storage, name: str, runs: list[Run], title: str, stays: Run | None, warnings: tuple[str, ...]
) -> Plan:
    backup = declared_backup(storage, name)
    objects = [[each.key, each.etag, each.size] for run in runs for each in run.objects]
    size = sum(run.bytes for run in runs)
    changes = (
        Change(
            f"run {run.name}", {"objects": len(run.objects), "bytes": run.bytes, "complete": bool(run.manifest)}, None
        )
        for run in runs
    )
    return Plan(
        title=f"{title} ({len(objects):,} objects, {size:,} bytes)",
        target=f"{backup.bucket}/{backup.prefix}",
        changes=tuple(changes),
        payload={
            "bucket": backup.bucket,
            "folders": [f"{backup.prefix}{run.name}/" for run in runs],
            "stays": stays and stays.manifest and stays.manifest.key,
        },
        precondition={"etag": stays and stays.manifest and stays.manifest.etag},
        warnings=warnings,
        bodies={_LISTING: json.dumps(objects).encode()},
    )


def _send(storage: Storage, order: Order) -> Receipt:
    payload = order.plan.payload
    bucket = storage.bucket(payload["bucket"])
    if payload["stays"] is not None:
        stays = look_at(bucket, payload["stays"])
        if stays is None or stays.etag != order.plan.precondition["etag"]:
            raise outdated(bucket, payload["stays"], "the run that was to stay is gone, or another one")
    planned = [Listed(*each) for each in json.loads(order.plan.bodies[_LISTING])]
    there = {each.key for folder in payload["folders"] for each in list_objects(bucket, folder)}
    left = [each for each in planned if each.key in there]
    manifests = [
        each
        for each in left
        if each.key.endswith(f"/{MANIFEST}") and each.key.removesuffix(MANIFEST) in payload["folders"]
    ]

    def delete(what: Listed) -> None:
        remove(bucket, what.key, what.etag)

    objects = [each for each in left if each not in manifests]
    work_in_parts(storage, manifests, len(manifests), delete)
    work_in_parts(storage, objects, len(planned), delete)
    return Receipt({"objects": len(planned)})


def _probe(storage: Storage, order: Order) -> Receipt | None:
    return None if _confirm(storage, order, Receipt({})) else Receipt({"objects": None})


def _confirm(storage: Storage, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    bucket = storage.bucket(order.plan.payload["bucket"])
    left = ((folder, sum(1 for _ in list_objects(bucket, folder))) for folder in order.plan.payload["folders"])
    return tuple(Change(folder, 0, count) for folder, count in left if count)


def _undo(_storage: Storage, _order: Order, _receipt: Receipt) -> Undo:
    msg = "deleted runs don't come back; in a bucket with versioning, restore_version brings back single objects"
    raise Refused(msg)


DELETE_BACKUP = Action(_plan_delete, _send, _confirm, _probe, _undo)
PRUNE_BACKUPS = Action(_plan_prune, _send, _confirm, _probe, _undo)
