"""What a load deletes: rows that the source reported as deleted, and rows that a complete listing did not name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.merge import Deletes, Merge, equal
from leat.pipelines.load.superseded import ENDED
from leat.sources.errors import Permanent
from leat.warehouse.session import quote

GUARD_FROM = 10  # a full scan of a smaller table may delete any share of it


class SuspiciousDelete(Permanent):
    """A full scan would delete a larger share of a table than the declaration allows."""


def not_deleted(merge: Merge, deletes: Deletes) -> str:
    """Return the condition that the source has not reported the row ``t`` as gone, or that it is spared."""
    spared = merge.spared("t", f"d.{SEQUENCE}")
    reported = [
        f"EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {equal(columns, 't', 'd')} AND NOT {spared})"
        for name, columns in deletes
    ]
    return f"NOT ({' OR '.join(reported)})" if reported else "1 = 1"


def apply_deletes(merge: Merge, deletes: Deletes) -> int:
    """Mark what the source reported as gone; returns how many rows."""
    spared = merge.spared("t", f"d.{SEQUENCE}")
    gone = sum(
        merge.mark_deleted(
            f"EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {equal(columns, 't', 'd')} AND NOT {spared})"
        )
        for name, columns in deletes
    )
    if all(set(columns) <= set(merge.key) for _, columns in deletes):
        return gone
    # A delete by another column may cover a landed row but not the older one in the table that it replaced.
    ended = f"SELECT 1 FROM {quote(merge.staged)} AS e JOIN {ENDED} AS n ON n.{SEQUENCE} = e.{SEQUENCE} "
    spared = merge.spared("t", f"e.{SEQUENCE}")
    return gone + merge.mark_deleted(f"EXISTS ({ended} WHERE {merge.same_key('e', 't')} AND NOT {spared})")


@dataclass(frozen=True, slots=True)
class Scan:
    """A complete listing: which rows of the table ``t`` it is about, as a condition with its parameters."""

    condition: str = "1 = 1"
    params: tuple[Any, ...] = ()

    @classmethod
    def of(cls, where: Mapping[str, Any]) -> Scan:
        """Return the scan of the rows that have these values."""
        return cls(" AND ".join([f"t.{quote(name)} = ?" for name in where] or ["1 = 1"]), tuple(where.values()))

    @classmethod
    def of_vanished(cls, merge: Merge, columns: Sequence[str]) -> Scan:
        """Return the scan of the rows in whose part of the stream, by the columns, nothing has arrived at all."""
        return cls(f"NOT EXISTS (SELECT 1 FROM {merge.effective} AS v WHERE {equal(columns, 't', 'v')})")


def apply_full_scan(merge: Merge, scan: Scan, max_share: float | None) -> int:
    """Mark what a complete listing did not name, neither well nor broken; returns how many rows.

    Raises:
        SuspiciousDelete: it would be a larger share than ``max_share`` (None: any share).
    """
    condition = f"{scan.condition} AND NOT {merge.spared('t')}"
    if max_share is not None:
        alive, gone = merge.session.execute(
            f"SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM {merge.effective} AS s "
            f"WHERE {merge.same_key('s', 't')})) FROM {merge.into} AS t WHERE t._deleted_at IS NULL AND {condition}",
            scan.params,
        )[0]
        if alive >= GUARD_FROM and gone > round(max_share * alive, 6):  # 0.29 * 100 is less than 29
            raise SuspiciousDelete(
                merge.integration,
                f"comparing {merge.stream} with the complete listing",
                f"{gone} of {alive} rows would be deleted, more than the share {max_share:g} that is allowed",
                f"check the system; if that is right, run `leat run {merge.integration} --allow-deletes`, "
                f"or raise streams.{merge.stream}.max_delete_share",
            )
    return merge.mark_deleted(condition, scan.params)
