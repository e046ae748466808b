"""Try whether a backup can be restored: every object is copied into a scratch folder, read there, and compared.

The report is a JSON object that the stream ``restore_tests`` reads; it is written last, and once. The scratch folder
is empty again before.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import RestoreTest
from leat.sources.cloud_storage.declared import Reports
from leat.sources.cloud_storage.s3.actions.hashes import Progress, sha256_of
from leat.sources.cloud_storage.s3.actions.objects import (
    copy,
    look_at,
    marked,
    outdated,
    read,
    remove,
    versions,
    write,
    written,
)
from leat.sources.cloud_storage.s3.actions.planning import differences, probe_mark
from leat.sources.cloud_storage.s3.actions.runs import (
    MANIFEST,
    OBJECTS,
    Run,
    declared_backup,
    list_objects,
    list_runs,
    read_manifest,
    work_in_parts,
)
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.errors import NotFound

_SHOWN = 5


def _plan(storage: Storage, id_: str, wanted: RestoreTest) -> Plan:
    backup = declared_backup(storage, wanted.backup)
    bucket, reports = storage.bucket(backup.bucket), _reports(storage, backup.bucket)
    run = _chosen(list_runs(bucket, backup), wanted)
    to = storage.bucket(wanted.to_bucket or backup.bucket)
    scratch = f"{wanted.to_prefix}{id_[:8]}/"
    taken = [each.prefix for each in storage.declared.backups if each.bucket == to.name]
    if any(scratch.startswith(each) for each in taken) or next(list_objects(to, scratch), None):
        msg = f"to_prefix: {to.name}/{scratch} isn't empty, or is a folder of backups; choose another one"
        raise Refused(msg)
    folder, report = f"{backup.prefix}{run.name}/", f"{reports.prefix}{backup.name}-{run.name}-{id_[:8]}.json"
    objects = read_manifest(bucket, folder + MANIFEST)["objects"]
    size = sum(each["size"] for each in objects)
    return Plan(
        title=f"test the restore of {backup.name}, run {run.name}: {len(objects):,} objects, {size:,} bytes",
        target=f"{backup.bucket}/{backup.prefix}",
        changes=(Change(f"{reports.bucket}/{report}", None, {"ok": True}),),
        payload={
            "backup": backup.name,
            "run": run.name,
            "bucket": bucket.name,
            "folder": folder,
            "to_bucket": to.name,
            "scratch": scratch,
            "report_bucket": reports.bucket,
            "report": report,
        },
        precondition={"etag": run.manifest and run.manifest.etag},
    )


def _reports(storage: Storage, bucket: str) -> Reports:
    """Return where the reports of a backup go: to its own bucket, if there is a place."""
    places = storage.declared.restore_tests
    if not places:
        msg = "connection.restore_tests names no place for reports; declare one, so that restore_tests reads them"
        raise Refused(msg)
    return next((each for each in places if each.bucket == bucket), places[0])


def _chosen(runs: list[Run], wanted: RestoreTest) -> Run:
    complete = [each for each in runs if each.manifest]
    if wanted.run is None and complete:
        return complete[-1]
    named = next((each for each in complete if each.name == wanted.run), None)
    if named is None:
        which = f"no complete run {wanted.run}" if wanted.run else "no complete run that leat has made"
        msg = f"run: {wanted.backup} has {which}; `backup` makes one"
        raise Refused(msg)
    return named


def _send(storage: Storage, order: Order) -> Receipt:
    payload = order.plan.payload
    receipt = _probe(storage, order)
    if receipt is not None:
        return receipt
    bucket = storage.bucket(payload["bucket"])
    manifest = look_at(bucket, payload["folder"] + MANIFEST)
    if manifest is None or manifest.etag != order.plan.precondition["etag"]:
        raise outdated(bucket, payload["folder"] + MANIFEST, "the run is gone, or another one")
    objects = read_manifest(bucket, payload["folder"] + MANIFEST)["objects"]
    progress = Progress(storage.sync.folder, order.id)
    left = [each for each in objects if progress.get(each["key"]) is None]
    work_in_parts(storage, left, len(objects), partial(_restore, storage, order, progress))
    _clear(storage, order)
    wrong = [(each["key"], done["wrong"]) for each in objects if (done := progress.get(each["key"])) and done["wrong"]]
    report = _report(order, objects, wrong)
    headers = marked({"content-type": "application/json"}, order.id)
    to = storage.bucket(payload["report_bucket"])
    answer = write(to, payload["report"], json.dumps(report, indent=1, ensure_ascii=False).encode(), headers, None)
    progress.forget()
    return Receipt({**written(answer), "ok": report["ok"], "detail": report["detail"]})


def _restore(storage: Storage, order: Order, progress: Progress, what: dict[str, Any]) -> None:
    """Copy an object into the scratch folder, compare it, and delete it there."""
    payload, key = order.plan.payload, what["key"]
    bucket, to, scratch = storage.bucket(payload["bucket"]), storage.bucket(payload["to_bucket"]), payload["scratch"]
    saved = look_at(bucket, f"{payload['folder']}{OBJECTS}{key}")
    if saved is None:
        progress.note(key, {"wrong": "it is gone"})
        return
    there = look_at(to, scratch + key)  # an attempt before may have left it
    etag = None if there is None else there.etag
    answer = copy(bucket, f"{payload['folder']}{OBJECTS}{key}", saved, to, scratch + key, order.id, etag)
    restored = written(answer)
    digest = sha256_of(to, scratch + key, str(restored["etag"]), saved.size)
    _remove(storage, order, scratch + key, restored["version_id"])
    progress.note(key, {"wrong": "" if digest == what["sha256"] else "its content is another one"})


def _remove(storage: Storage, order: Order, key: str, version_id: str | None) -> None:
    try:
        remove(storage.bucket(order.plan.payload["to_bucket"]), key, None, version_id)
    except NotFound:
        return


def _clear(storage: Storage, order: Order) -> None:
    """Delete what an interrupted attempt has left in the scratch folder."""
    bucket = storage.bucket(order.plan.payload["to_bucket"])
    for each in list(list_objects(bucket, order.plan.payload["scratch"])):
        for version in versions(bucket, each.key):
            remove(bucket, each.key, None, version.version_id)
        if look_at(bucket, each.key) is not None:
            remove(bucket, each.key, None)


def _report(order: Order, objects: list[dict[str, Any]], wrong: list[tuple[str, str]]) -> dict[str, Any]:
    detail = f"{len(objects):,} objects restored, every SHA-256 as in the manifest"
    if wrong:
        shown = "; ".join(f"{key}: {why}" for key, why in wrong[:_SHOWN])
        detail = f"{len(wrong):,} of {len(objects):,} objects can't be restored: {shown}"
    payload = order.plan.payload
    return {
        "backup": payload["backup"],
        "run": payload["run"],
        "tested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ok": not wrong,
        "detail": detail,
        "action": order.id,
    }


def _probe(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    bucket = storage.bucket(payload["report_bucket"])
    receipt = probe_mark(bucket, payload["report"], order.id)
    if receipt is None:
        return None
    report = json.loads(read(bucket, payload["report"]))
    return Receipt({**receipt.data, "ok": report["ok"], "detail": report["detail"]})


def _confirm(storage: Storage, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Return the failures as a difference too: it was planned that the backup can be restored."""
    payload = order.plan.payload
    bucket = storage.bucket(payload["report_bucket"])
    changed = differences(look_at(bucket, payload["report"]), order, receipt, payload["report"])
    if changed:
        return changed
    report = json.loads(read(bucket, payload["report"]))
    return () if report["ok"] else (Change("restore", "every SHA-256 as in the manifest", report["detail"]),)


def _undo(_storage: Storage, order: Order, receipt: Receipt) -> Undo:
    payload = order.plan.payload
    return Undo("delete", {"bucket": payload["report_bucket"], "key": payload["report"], "etag": receipt.data["etag"]})


RESTORE_TEST = Action(_plan, _send, _confirm, _probe, _undo)
