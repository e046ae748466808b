"""One extraction, whatever the server: list, compare with the run before, add up, say where the next one goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.sources.batch import to_json
from leat.sources.cloud_storage.changes import LISTED, changes
from leat.sources.cloud_storage.declared import Declared
from leat.sources.cloud_storage.sorted_lines import Listing
from leat.sources.cloud_storage.store import FORMAT, Store, open_store
from leat.sources.cloud_storage.summary import Summary, summary_of
from leat.sources.cloud_storage.tables import Scope
from leat.sources.cloud_storage.totals import SUMMED, quota_rows, report_events, run_rows, usage_rows, whole_streams
from leat.sources.cloud_storage.trouble import Trouble
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, Unauthenticated
from leat.sources.events import Cursor, Event, Failed, FullScan

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listable:
    """A bucket that can be listed.

    Attributes:
        name: its name.
        list: lists it; given a folder for pieces and the file to write.
        read: gives the content of an object, not much larger than :data:`leat.sources.cloud_storage.totals.MOST_BYTES`.
    """

    name: str
    list: Callable[[Path, Path], Listing]
    read: Callable[[str], bytes]


def read_storage(
    sync: Sync,
    about: Any,
    declared: Declared,
    buckets: Sequence[Listable],
    whole: Mapping[str, Sequence[Row]],
    trouble: Trouble | None = None,
) -> Iterator[Event]:
    """Yield what changed since the cursor, and the new cursor. A bucket that can't be listed fails alone.

    Args:
        sync: the extraction.
        about: what the listings depend on in addition to the declaration: the address, and which buckets.
        declared: what the declaration says of owners, quotas and backups.
        buckets: the buckets.
        whole: streams that are read whole each time, by name.
        trouble: buckets that could not be read so far, and why.

    Raises:
        IntegrationError: no bucket can be read, or the server can't be reached.
    """
    trouble = Trouble() if trouble is None else trouble
    store = open_store(sync, [about, declared.model_dump()])
    state: dict[str, Any] = {"for": store.about, "format": FORMAT, "streams": sorted(sync.streams), "listings": {}}
    summaries: dict[str, Summary] = {}
    if sync.streams & {*LISTED, *SUMMED}:
        for bucket in buckets:
            if bucket.name not in trouble.failed:
                yield from _read_bucket(bucket, store, declared, sync, state, summaries, trouble)
        trouble.check(len(buckets))
        yield from _absent(store, sync, state, {bucket.name for bucket in buckets}, trouble)
    rows: dict[str, Sequence[Row]] = {}
    rows |= {name: [row for row in each if row.get("bucket") not in trouble.failed] for name, each in whole.items()}
    if sync.streams & SUMMED:
        usage = usage_rows(summaries, sync)
        rows |= {"usage_daily": usage, "quotas": quota_rows(declared, usage), "backup_runs": run_rows(summaries)}
    yield from whole_streams(rows, store.before, state, sync, trouble.failed)
    if to_json(state) != to_json(dict(sync.cursor or {})):
        yield Cursor(state)


def _absent(store: Store, sync: Sync, state: dict[str, Any], names: set[str], trouble: Trouble) -> Iterator[Event]:
    """Yield which buckets could not be read, their place in the cursor as it was, and which there are no more."""
    streams = [stream for stream in (*LISTED, "restore_tests") if stream in sync.streams]
    listings: Mapping[str, Any] = store.before.get("listings") or {}
    for name, error in sorted(trouble.failed.items()):
        yield from (Failed(stream, error, {"bucket": name}) for stream in streams)
        if name in listings:
            state["listings"][name] = listings[name]
    for name in sorted(set((sync.cursor or {}).get("listings") or ()) - names - set(trouble.failed)):
        because = "the account has no such bucket any more"
        yield from (FullScan(stream, {"bucket": name}, because) for stream in streams)


def _read_bucket(
    bucket: Listable,
    store: Store,
    declared: Declared,
    sync: Sync,
    state: dict[str, Any],
    summaries: dict[str, Summary],
    trouble: Trouble,
) -> Iterator[Event]:
    old = store.listing(bucket.name)
    listed = trouble.tried(bucket.name, lambda: bucket.list(store.sidecar.drafts, store.sidecar.drafts / "new.lines"))
    if listed is None:
        return
    new = store.add(bucket.name, listed)
    state["listings"][bucket.name] = [new.digest, new.count]
    scope = Scope(bucket.name, declared.owners_of(bucket.name))
    yield from changes(old, new, scope, sync)
    if not sync.streams & SUMMED:
        return
    summary = _summary(store, new, scope, declared)
    summaries[bucket.name] = summary
    if "restore_tests" in sync.streams and (old is None or old.digest != new.digest):
        before = _summary(store, old, scope, declared) if old else None
        try:
            yield from list(report_events(bucket.name, summary, before, bucket.read, sync))
        except Unauthenticated:
            raise
        except IntegrationError as error:
            yield Failed("restore_tests", error, {"bucket": bucket.name})
            earlier = (store.before.get("listings") or {}).get(bucket.name)
            state["listings"] |= {bucket.name: earlier or ["", 0]}  # so that the next run reads the reports


def _summary(store: Store, listing: Listing, scope: Scope, declared: Declared) -> Summary:
    return summary_of(listing.path, store.summary_path(scope.bucket, listing), scope, declared)
