"""What a listing adds up to: usage by first folder and owner, runs of backups, reports of restore tests.

It is made once for each listing and written next to it as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.files import atomic_write
from leat.sources.cloud_storage.declared import Declared
from leat.sources.cloud_storage.s3.pages import LATEST, OBJECT, OLDER
from leat.sources.cloud_storage.sorted_lines import line_batches
from leat.sources.cloud_storage.tables import BATCH, Scope, tables_of
from leat.sources.events import Quarantined

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class Run:
    """One run of a backup: its objects, their bytes, the first and the last time as ISO 8601."""

    backup: str
    run: str
    objects: int
    bytes: int
    began_at: str
    ended_at: str


@dataclass(slots=True)
class Summary:
    """What one listing adds up to.

    Attributes:
        usage: ``[prefix, owner, objects, bytes, older objects, their bytes]`` each.
        runs: runs of backups.
        reports: key to etag of the reports of restore tests.
    """

    usage: list[list[Any]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    reports: dict[str, str] = field(default_factory=dict)


def summary_of(listing: Path, file: Path, scope: Scope, declared: Declared) -> Summary:
    """Return what a listing adds up to; ``file`` is where the result is read from, or written to."""
    try:
        return _read(file)
    except (OSError, ValueError, TypeError, KeyError):
        summary = _sum(listing, scope, declared)
        atomic_write(file, json.dumps(asdict(summary)))
        return summary


def _read(file: Path) -> Summary:
    value = json.loads(file.read_text(encoding="utf-8"))
    return Summary(value["usage"], [Run(**run) for run in value["runs"]], value["reports"])


def _sum(listing: Path, scope: Scope, declared: Declared) -> Summary:
    usage: dict[tuple[str, str], list[int]] = {}
    runs: dict[tuple[str, str], Run] = {}
    reports: dict[str, str] = {}
    for lines in line_batches(listing, BATCH):
        for table in tables_of(lines, scope):
            if isinstance(table, Quarantined):
                continue  # yielded where the lines are read for rows
            _add_usage(usage, table)
            for backup in declared.backups:
                if backup.bucket == scope.bucket:
                    _add_runs(runs, backup.name, backup.prefix, _current(table, backup.prefix))
            for where in declared.restore_tests:
                if where.bucket == scope.bucket:
                    current = _current(table, where.prefix)
                    reports.update((o["key"], o["etag"] or "") for o in current if o["key"].endswith(".json"))
    return Summary([[*key, *sums] for key, sums in sorted(usage.items())], [*runs.values()], reports)


def _add_usage(usage: dict[tuple[str, str], list[int]], table: pa.Table) -> None:
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute

    owner: Any = pc.coalesce(table["owner_email"], table["owner_name"], table["owner_id"], "")
    parts: dict[str, Any] = {name: table[name] for name in ("prefix", "kind", "size")}
    counted = pa.table({**parts, "owner": owner})
    groups = counted.group_by(["prefix", "owner", "kind"]).aggregate([("size", "sum"), ([], "count_all")])
    for row in groups.to_pylist():
        place = {OBJECT.decode(): 0, LATEST.decode(): 0, OLDER.decode(): 2}.get(row["kind"])
        if place is not None:
            sums = usage.setdefault((row["prefix"], row["owner"]), [0, 0, 0, 0])
            sums[place] += row["count_all"]
            sums[place + 1] += row["size_sum"] or 0


def _current(table: pa.Table, prefix: str) -> list[Mapping[str, Any]]:
    """Return the objects of a table beneath a prefix, as they are now, without folders."""
    import pyarrow as pa
    from pyarrow import compute

    pc: Any = compute

    is_current = pc.is_in(table["kind"], pa.array([OBJECT.decode(), LATEST.decode()]))
    matching = table.filter(pc.and_(is_current, pc.starts_with(table["key"], prefix)))
    rows = matching.select(["key", "etag", "size", "last_modified"]).to_pylist()
    return [row for row in rows if not row["key"].endswith("/")]


def _add_runs(runs: dict[tuple[str, str], Run], backup: str, prefix: str, objects: list[Mapping[str, Any]]) -> None:
    for row in objects:
        name = row["key"][len(prefix) :].partition("/")[0]
        at = (row["last_modified"] or _NEVER).isoformat()
        run = runs.setdefault((backup, name), Run(backup, name, 0, 0, at, at))
        run.objects += 1
        run.bytes += row["size"] or 0
        run.began_at, run.ended_at = min(run.began_at, at), max(run.ended_at, at)
