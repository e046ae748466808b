"""Write an object: of a file in the project, of text, or of bytes that another action returned."""

from __future__ import annotations

import base64
import hashlib
import mimetypes

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import MOST_BYTES, Put
from leat.sources.cloud_storage.s3.actions.objects import (
    check_condition,
    condition_of,
    is_versioned,
    look_at,
    marked,
    read,
    write,
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

_CONTENT = "content"


def _plan(storage: Storage, _id: str, wanted: Put) -> Plan:
    bucket, content = storage.bucket(wanted.bucket), _content(storage, wanted)
    versioned, there = is_versioned(bucket), look_at(bucket, wanted.key)
    name, digest = target_of(bucket, wanted.key), hashlib.sha256(content).hexdigest()
    expect(there, wanted.etag, name)
    if (
        there is not None
        and there.size == len(content)
        and hashlib.sha256(read(bucket, wanted.key)).hexdigest() == digest
    ):
        msg = f"{name} already has this content"
        raise Refused(msg)
    if there is not None and not wanted.replace:
        msg = f"{name} exists already; replace=true replaces it"
        raise Refused(msg)
    kind = wanted.content_type or mimetypes.guess_type(wanted.key)[0] or "application/octet-stream"
    after = {"size": len(content), "sha256": digest}
    return Plan(
        title=f"{'replace' if there else 'write'} {name} ({len(content):,} bytes)",
        target=name,
        changes=(Change(name, there and there.as_json(), after),),
        payload={
            "bucket": bucket.name,
            "key": wanted.key,
            "content_type": kind,
            **after,
            "replaced": there and {"version_id": there.version_id, "versioned": versioned},
        },
        precondition=condition_of(there),
        warnings=(NO_VERSIONS,) if there and not versioned else (),
        bodies={_CONTENT: content},
    )


def _content(storage: Storage, wanted: Put) -> bytes:
    if wanted.text is not None:
        content = wanted.text.encode()
    elif wanted.body is not None:
        content = base64.b64decode(wanted.body)
    else:
        content = _file(storage, str(wanted.file))
    _check_size(len(content))
    return content


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        msg = f"leat writes objects of at most {MOST_BYTES // 2**20} MiB; use a tool that uploads parts"
        raise Refused(msg)


def _file(storage: Storage, name: str) -> bytes:
    """Return a file of the project; what is hidden there holds state and secrets, and stays there."""
    project, state = storage.project.resolve(), storage.sync.folder.resolve().parents[1]
    path = (project / name).resolve()
    is_inside = path.is_relative_to(project) and not path.is_relative_to(state)
    if not is_inside or any(part.startswith(".") for part in path.relative_to(project).parts):
        msg = f"file: {name} isn't a visible file in the project folder; copy it there"
        raise Refused(msg)
    try:
        _check_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        msg = f"file: {name} can't be read: {error.strerror}"
        raise Refused(msg) from None


def _send(storage: Storage, order: Order) -> Receipt:
    payload, etag = order.plan.payload, order.plan.precondition["etag"]
    bucket, key = storage.bucket(payload["bucket"]), payload["key"]
    check_condition(bucket, key, order.plan.precondition)
    headers = marked({"content-type": payload["content_type"]}, order.id)
    return Receipt(written(write(bucket, key, order.plan.bodies[_CONTENT], headers, etag)))


def _probe(storage: Storage, order: Order) -> Receipt | None:
    payload = order.plan.payload
    return probe_mark(storage.bucket(payload["bucket"]), payload["key"], order.id)


def _confirm(storage: Storage, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Read the whole object again: what a server says of its content is no proof."""
    payload = order.plan.payload
    bucket, key = storage.bucket(payload["bucket"]), payload["key"]
    there = look_at(bucket, key)
    changed = differences(there, order, receipt, key, size=payload["size"])
    if changed or there is None:
        return changed
    digest = hashlib.sha256(read(bucket, key)).hexdigest()
    return () if digest == payload["sha256"] else (Change("SHA-256 of the content", payload["sha256"], digest),)


def _undo(storage: Storage, order: Order, receipt: Receipt) -> Undo:
    payload = order.plan.payload
    return undo_writing(storage.bucket(payload["bucket"]), payload["key"], payload["replaced"], receipt)


PUT = Action(_plan, _send, _confirm, _probe, _undo)
