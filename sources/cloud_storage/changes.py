"""What differs between two listings of a bucket, as events; everything if there is no earlier one.

Deletes are single events while they are few. When more than one in a hundred objects is gone, everything is yielded
again as a complete listing: then the engine's guard against a source that suddenly empties decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from leat.sources.cloud_storage.s3.pages import LATEST, MARKER, OBJECT, OLD_MARKER, OLDER
from leat.sources.cloud_storage.sorted_lines import Listing, differences, key_of, line_batches
from leat.sources.cloud_storage.tables import BATCH, Scope, rows_of, tables_of
from leat.sources.driver import Sync
from leat.sources.events import Delete, Event, FullScan, Listed, Quarantined

LISTED = ("objects", "object_versions", "delete_markers")
_FEW = 9
_STREAM = {LATEST: "object_versions", OLDER: "object_versions", MARKER: "delete_markers", OLD_MARKER: "delete_markers"}


@dataclass(slots=True)
class _Difference:
    """Lines on their way out, and what is gone."""

    changed: list[bytes] = field(default_factory=list)
    gone: list[Delete] = field(default_factory=list)


def changes(old: Listing | None, new: Listing, scope: Scope, sync: Sync) -> Iterator[Event]:
    """Yield rows and deletes that lead from one listing to the other."""
    if old is None:
        yield from everything(new, scope, sync)
        return
    if old.digest == new.digest:
        return
    most = max(_FEW, old.count // 100)
    difference = _Difference()
    for was, now in differences(old.path, new.path):
        _compare(difference, scope.bucket, was, now)
        if len(difference.gone) > most:
            yield from everything(new, scope, sync)
            return
        if len(difference.changed) >= BATCH:
            yield from _rows(difference.changed, scope, sync)
            difference.changed = []
    yield from _rows(difference.changed, scope, sync)
    yield from (event for event in difference.gone if event.stream in sync.streams)
    yield from (Listed(name, f"{scope.bucket}: {new.because}") for name in LISTED if name in sync.streams)


def everything(listing: Listing, scope: Scope, sync: Sync) -> Iterator[Event]:
    """Yield every row, and that there are no others; not that, when some could not be understood."""
    understood = True
    for lines in line_batches(listing.path, BATCH):
        for event in _rows(lines, scope, sync):
            understood = understood and not isinstance(event, Quarantined)
            yield event
    for name in LISTED:
        if name in sync.streams and understood:
            yield FullScan(name, {"bucket": scope.bucket}, because=listing.because)
        elif name in sync.streams:
            yield Listed(name, f"{scope.bucket}: {listing.because}")


def _rows(lines: list[bytes], scope: Scope, sync: Sync) -> Iterator[Event]:
    for table in tables_of(lines, scope):
        if isinstance(table, Quarantined):
            yield table
            continue
        for name in LISTED:
            if name in sync.streams:
                yield from rows_of(table, name)


def _compare(difference: _Difference, bucket: str, was: list[bytes], now: list[bytes]) -> None:
    """Note what has become of one key."""
    before = set(was)
    difference.changed += [line for line in now if line not in before]
    key = unquote_to_bytes(key_of((was or now)[0])).decode("utf-8", "replace")
    if _is_there(was) and not _is_there(now):
        difference.gone.append(Delete("objects", {"bucket": bucket, "key": key}))
    there = {_version(line) for line in now}
    for stream, version in [_version(line) for line in was]:
        if stream and (stream, version) not in there:
            where = {"bucket": bucket, "key": key, "version_id": version}
            difference.gone.append(Delete(stream, where))


def _is_there(lines: list[bytes]) -> bool:
    return any(line.split(b"\t", 3)[2] in (OBJECT, LATEST) for line in lines)


def _version(line: bytes) -> tuple[str | None, str]:
    _, version, kind, _ = line.split(b"\t", 3)
    return _STREAM.get(kind), version.decode("utf-8", "replace")
