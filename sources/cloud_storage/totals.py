"""What listings add up to, as rows: daily usage, quotas, runs of backups, and reports of restore tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from leat.sources.batch import to_json
from leat.sources.cloud_storage.declared import Declared
from leat.sources.cloud_storage.store import digest
from leat.sources.cloud_storage.streams import STREAMS
from leat.sources.cloud_storage.summary import Summary
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, NotFound
from leat.sources.events import Delete, Event, Failed, FullScan, Quarantined
from leat.sources.multi_batch import Replacement

SUMMED = frozenset({"usage_daily", "quotas", "backup_runs", "restore_tests"})
"""Streams that need what a listing adds up to."""

MOST_BYTES = 65_536
"""Size of a report, at most."""

_OF_ALL = frozenset({"quotas", "backup_runs"})
"""Streams whose rows add up several buckets."""

_REPORT = ("backup", "run", "tested_at", "ok", "detail", "tested_by_email")


def usage_rows(summaries: Mapping[str, Summary], sync: Sync) -> list[dict[str, Any]]:
    """Return the rows of ``usage_daily`` for the day of the run."""
    names = ("prefix", "owner", "objects", "bytes", "noncurrent_objects", "noncurrent_bytes")
    return [
        {"bucket": bucket, "day": sync.now.date(), **dict(zip(names, row, strict=True))}
        for bucket, summary in sorted(summaries.items())
        for row in summary.usage
    ]


def quota_rows(declared: Declared, usage: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of ``quotas``."""
    result = []
    for quota in declared.quotas:
        restricted = {"bucket": quota.bucket, "prefix": quota.prefix, "owner": quota.owner}
        counted = [row for row in usage if all(not value or row[name] == value for name, value in restricted.items())]
        used, older, objects = (sum(row[n] for row in counted) for n in ("bytes", "noncurrent_bytes", "objects"))
        more = {"limit_bytes": quota.bytes, "used_bytes": used, "used_objects": objects, "noncurrent_bytes": older}
        more["is_over"] = used > quota.bytes
        result.append({**restricted, **more})
    return result


def run_rows(summaries: Mapping[str, Summary]) -> list[dict[str, Any]]:
    """Return the rows of ``backup_runs``."""
    return [
        {
            "backup": run.backup,
            "run": run.run,
            "bucket": bucket,
            "objects": run.objects,
            "bytes": run.bytes,
            "began_at": datetime.fromisoformat(run.began_at),
            "ended_at": datetime.fromisoformat(run.ended_at),
        }
        for bucket, summary in sorted(summaries.items())
        for run in summary.runs
    ]


def whole_streams(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    earlier: Mapping[str, Any],
    state: dict[str, Any],
    sync: Sync,
    failed: Mapping[str, IntegrationError],
) -> Iterator[Event]:
    """Yield the streams, each whole, whose rows aren't those of the run before; puts their digests into the state.

    Of buckets that failed nothing is said but that; what adds them all up fails as a whole.
    """
    before: Mapping[str, str] = earlier.get("whole") or {}
    state["whole"] = {}
    for name in [name for name in rows if name in sync.streams]:
        if name in _OF_ALL and failed:
            yield Failed(name, next(iter(failed.values())))
            state["whole"] |= {name: before[name]} if name in before else {}
            continue
        yield from (Failed(name, error, {"bucket": bucket}) for bucket, error in sorted(failed.items()))
        now = digest([list(rows[name]), sorted(failed)] if failed else rows[name])
        state["whole"][name] = now
        if before.get(name) != now:
            yield from _replaced(name, rows[name], earlier, sync, failed)


def _replaced(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    before: Mapping[str, Any],
    sync: Sync,
    failed: Mapping[str, IntegrationError],
) -> Iterator[Event]:
    """Yield all rows of a stream, and that there are no others but those of buckets that failed."""
    out = Replacement(sync, STREAMS)
    of_rows = {row["bucket"] for row in rows} if name not in _OF_ALL else set()
    buckets = (of_rows | set(before.get("listings") or ())) - set(failed)
    if name == "usage_daily":
        yield from (Delete(name, {"bucket": bucket, "day": sync.now.date()}) for bucket in sorted(buckets))
    understood = True
    for row in rows:
        try:
            yield from out.add(name, row)
        except ValueError as error:
            understood = False
            yield Quarantined(name, str(row.get("key") or row.get("bucket")), str(error), to_json(row)[:4000])
    yield from out.flush()
    if name != "usage_daily" and understood:
        because = "every bucket was asked"
        if failed:
            yield from (FullScan(name, {"bucket": bucket}, because) for bucket in sorted(buckets))
        else:
            yield FullScan(name, because=because)


def report_events(
    bucket: str, now: Summary, old: Summary | None, read: Callable[[str], bytes], sync: Sync
) -> Iterator[Event]:
    """Yield the reports of restore tests that are new or differ; ``read`` gives the content of one."""
    before = old.reports if old else {}
    out = Replacement(sync, STREAMS)
    understood = True
    for key, etag in now.reports.items():
        if key in before and before[key] == etag:
            continue
        content = b""
        try:
            content = read(key)
            row = _report(bucket, key, content)
            yield from out.add("restore_tests", row)
        except NotFound:  # deleted since the bucket was listed
            understood = False
        except (ValueError, OverflowError) as error:
            understood = False
            record = content[:4000].decode("utf-8", "backslashreplace")
            yield Quarantined("restore_tests", f"{bucket}/{key}", f"no report of a restore test: {error}", record)
    yield from out.flush()
    if old is not None:
        gone = sorted(before.keys() - now.reports.keys())
        yield from (Delete("restore_tests", {"bucket": bucket, "key": key}) for key in gone)
    elif understood:
        yield FullScan("restore_tests", {"bucket": bucket}, because="every report in the listing was read")


def _report(bucket: str, key: str, content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        msg = f"it has more than {MOST_BYTES} bytes"
        raise ValueError(msg)
    try:
        value = json.loads(content)
    except RecursionError:
        value = None
    if not isinstance(value, dict):
        msg = "it is no JSON object"
        raise ValueError(msg)
    missing = [name for name in ("backup", "tested_at", "ok") if value.get(name) is None]
    if missing:
        msg = f"it lacks {', '.join(missing)}"
        raise ValueError(msg)
    try:
        tested_at = datetime.fromisoformat(str(value["tested_at"]))
    except ValueError:
        msg = "its tested_at is no time"
        raise ValueError(msg) from None
    if tested_at.tzinfo is None:
        msg = "its tested_at has no zone"
        raise ValueError(msg)
    reported = {name: value.get(name) for name in _REPORT}
    extra = {name: each for name, each in value.items() if name not in _REPORT}
    return {**reported, "tested_at": tested_at, "bucket": bucket, "key": key, "extra": extra}
