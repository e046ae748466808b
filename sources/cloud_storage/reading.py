"""One extraction, whatever the server: list, compare with the run before, add up, say where the next one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sources.batch import to_json
from sources.cloud_storage.changes import LISTED, changes
from sources.cloud_storage.declared import Declared
from sources.cloud_storage.sorted_lines import Listing
from sources.cloud_storage.store import FORMAT, Store, open_store
from sources.cloud_storage.summary import Summary, summary_of
from sources.cloud_storage.tables import Scope
from sources.cloud_storage.totals import SUMMED, quota_rows, report_events, run_rows, usage_rows, whole_streams
from sources.driver import Sync
from sources.events import Cursor, Event, FullScan

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listable:
    """A bucket that can be listed.

    Attributes:
        name: its name.
        list: lists it; given a folder for pieces and the file to write.
        read: gives the content of an object, of not much more than :data:`sources.cloud_storage.totals.MOST_BYTES`.
    """

    name: str
    list: Callable[[Path, Path], Listing]
    read: Callable[[str], bytes]


def read_storage(
    sync: Sync, about: Any, declared: Declared, buckets: Sequence[Listable], whole: Mapping[str, Sequence[Row]]
) -> Iterator[Event]:
    """Yield what changed since the cursor, and the new cursor.

    Args:
        sync: the extraction.
        about: what the listings depend on beside the declaration: the address, and which buckets.
        declared: what the declaration says of owners, quotas and backups.
        buckets: the buckets.
        whole: streams that are read whole each time, by name.
    """
    store = open_store(sync, [about, declared.model_dump()])
    state: dict[str, Any] = {"for": store.about, "format": FORMAT, "streams": sorted(sync.streams), "listings": {}}
    summaries: dict[str, Summary] = {}
    if sync.streams & {*LISTED, *SUMMED}:
        for bucket in buckets:
            yield from _read_bucket(bucket, store, declared, sync, state, summaries)
        for name in sorted(set((sync.cursor or {}).get("listings") or ()) - {bucket.name for bucket in buckets}):
            streams = [stream for stream in (*LISTED, "restore_tests") if stream in sync.streams]
            yield from (FullScan(stream, {"bucket": name}) for stream in streams)
    rows = dict(whole)
    if sync.streams & SUMMED:
        usage = usage_rows(summaries, sync)
        rows |= {"usage_daily": usage, "quotas": quota_rows(declared, usage), "backup_runs": run_rows(summaries)}
    yield from whole_streams(rows, store.known, state, sync)
    if to_json(state) != to_json(dict(sync.cursor or {})):
        yield Cursor(state)


def _read_bucket(
    bucket: Listable,
    store: Store,
    declared: Declared,
    sync: Sync,
    state: dict[str, Any],
    summaries: dict[str, Summary],
) -> Iterator[Event]:
    old = store.listing(bucket.name)
    new = store.keep(bucket.name, bucket.list(store.folder, store.folder / "new.lines"))
    state["listings"][bucket.name] = [new.digest, new.count]
    scope = Scope(bucket.name, declared.owners_of(bucket.name))
    yield from changes(old, new, scope, sync)
    if not sync.streams & SUMMED:
        return
    summary = _summary(store, new, scope, declared)
    summaries[bucket.name] = summary
    if "restore_tests" in sync.streams and (old is None or old.digest != new.digest):
        before = _summary(store, old, scope, declared) if old else None
        yield from report_events(bucket.name, summary, before, bucket.read, sync)


def _summary(store: Store, listing: Listing, scope: Scope, declared: Declared) -> Summary:
    return summary_of(listing.path, store.path(scope.bucket, listing.digest, "json"), scope, declared)
