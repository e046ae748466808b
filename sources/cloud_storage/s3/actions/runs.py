"""Runs of a backup: where they are, what is in them, and their manifests.

::

    <prefix of the backup>/<run>/objects/<key of the object>
    <prefix of the backup>/<run>/manifest.json                  written last: a run without it isn't complete
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from leat.sources.actions import Refused, Unfinished
from leat.sources.cloud_storage.actions import RUN
from leat.sources.cloud_storage.declared import Backup
from leat.sources.cloud_storage.s3.actions.objects import read
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.cloud_storage.s3.api import Bucket, fetcher
from leat.sources.errors import UnexpectedShape

MANIFEST, OBJECTS = "manifest.json", "objects/"
PART = 10.0
"""Seconds of work on many objects after which a kill switch is looked at."""
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a listing."""

    key: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run that leat has made: its name and its objects, the manifest among them."""

    name: str
    objects: list[Listed] = field(default_factory=list)

    @property
    def manifest(self) -> Listed | None:
        """The manifest; None for a run that isn't complete."""
        return next((each for each in self.objects if each.key.endswith(f"{self.name}/{MANIFEST}")), None)

    @property
    def began_at(self) -> datetime:
        """When it was planned."""
        return datetime.strptime(self.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    @property
    def bytes(self) -> int:
        """The bytes of its objects."""
        return sum(each.size for each in self.objects)


def declared_backup(storage: Storage, name: str) -> Backup:
    """Return a backup of the declaration.

    Raises:
        Refused: it has none of this name.
    """
    backups = {each.name: each for each in storage.declared.backups}
    if name not in backups:
        msg = f"backup: {name} isn't in connection.backups, which has {', '.join(sorted(backups)) or 'none'}"
        raise Refused(msg)
    return backups[name]


def list_objects(bucket: Bucket, prefix: str) -> Iterator[Listed]:
    """Yield the objects below a prefix as they are now, without folders.

    Raises:
        IntegrationError: the server refuses.
    """
    fetch = fetcher(bucket, versions=False)
    after: Mapping[str, str] = {}
    while True:
        page = fetch({"prefix": prefix, **after})
        for line in page.lines:
            key, _, _, etag, size, *_ = line.split(b"\t")
            name = unquote_to_bytes(key).decode("utf-8", "surrogateescape")
            if not name.endswith("/"):
                yield Listed(name, etag.decode(), int(size))
        if page.after is None:
            return
        after = page.after


def list_runs(bucket: Bucket, backup: Backup) -> list[Run]:
    """Return the runs of a backup that leat has made, the oldest first."""
    runs: dict[str, Run] = {}
    for each in list_objects(bucket, backup.prefix):
        name = each.key[len(backup.prefix) :].partition("/")[0]
        if RUN.fullmatch(name):
            runs.setdefault(name, Run(name)).objects.append(each)
    return [runs[name] for name in sorted(runs)]


def read_manifest(bucket: Bucket, key: str) -> dict[str, Any]:
    """Return a manifest: ``source``, and ``objects`` with ``key``, ``size`` and ``sha256`` each.

    Raises:
        UnexpectedShape: it isn't one.
        IntegrationError: the server refuses.
    """
    try:
        manifest = json.loads(read(bucket, key))
        [(each["key"], each["size"], each["sha256"]) for each in manifest["objects"]]
    except (ValueError, KeyError, TypeError):
        asked, got = f"reading {key} (bucket {bucket.name})", "it is no manifest of a backup"
        raise UnexpectedShape(bucket.client.integration, asked, got, "choose another run") from None
    return dict(manifest)


def work_in_parts(storage: Storage, left: Sequence[Thing], total: int, work: Callable[[Thing], None]) -> None:
    """Do some work on each of many things, several at a time, for as long as a part may take.

    Args:
        storage: the storage, which says how many at a time.
        left: the things that aren't done.
        total: how many things there are.
        work: done on each.

    Raises:
        Unfinished: the time is up; what was done stays done.
        IntegrationError: the work failed.
    """
    began, done, size = time.monotonic(), total - len(left), storage.connection.in_flight
    with ThreadPoolExecutor(size, thread_name_prefix="leat-storage") as threads:
        for at in range(0, len(left), size):
            done += len(list(threads.map(work, left[at : at + size])))
            if done < total and time.monotonic() - began > PART:
                msg = f"{done} of {total} objects are done"
                raise Unfinished(msg)
