"""Merge one stream of one landed load into its table: the SQL at the heart of the engine.

The table ends up as if every event of the load had happened to it in order of arrival, in one step:

1. of several versions of a row the last one wins, and one that a later delete covers ends with it;
2. rows that were deleted, or that a complete listing did not name, get ``_deleted_at``;
3. rows that differ are replaced, new ones inserted; a row that is equal is not touched;
4. with history, versions that ended are closed and new ones opened.

Whatever was touched carries the load's id, so each step can be told from the table itself, and merging the same load
again touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.results import StreamResult
from leat.sources.errors import Permanent
from leat.warehouse.session import Session, quote

GUARD_FROM = 10  # a full scan of a smaller table may delete any share of it

LOSERS = "leat_losers"  # a temporary table: the landed rows that don't count
_ENDED = "leat_ended"  # those among them that a later delete covers
SPARED = "leat_spared"  # keys of broken records of the load: what is in the table stays as it is


class SuspiciousDelete(Permanent):
    """A full scan would delete a larger share of a table than the declaration allows."""


@dataclass(frozen=True, slots=True)
class Merge:
    """One stream of one load, ready to be merged.

    Attributes:
        session: the transaction.
        integration: name of the declaration.
        stream: name of the stream.
        table: name of the table to merge into, usually the stream's.
        staged: name of the temporary relation with the landed rows and ``_seq``.
        columns: leat type by column name, without system columns.
        key: the key columns.
        version: column whose highest value wins, or None.
        history: whether versions are kept.
        load_id: id of the load.
        at: when the load is applied.
        losers: whether some landed rows don't count; see :func:`drop_losers`.
        spares: whether there is a relation :data:`SPARED`.
    """

    session: Session
    integration: str
    stream: str
    table: str
    staged: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    version: str | None
    history: bool
    load_id: str
    at: datetime
    losers: bool = False
    spares: bool = False

    @property
    def into(self) -> str:
        """The quoted name of the table."""
        return quote(self.integration, self.table)

    @property
    def survivors(self) -> str:
        """The landed rows that count, as a relation."""
        if not self.losers:
            return quote(self.staged)
        return (
            f"(SELECT * FROM {quote(self.staged)} AS r "
            f"WHERE NOT EXISTS (SELECT 1 FROM {LOSERS} AS l WHERE l.{SEQUENCE} = r.{SEQUENCE}))"
        )

    def same_key(self, left: str, right: str) -> str:
        """Return the condition that two aliases have the same key."""
        return _equal(self.key, left, right)

    def spared(self, alias: str, since: str | None = None) -> str:
        """Return the condition that the row of an alias is spared, for a record that came after a sequence number."""
        if not self.spares:
            return "1 = 0"
        later = "" if since is None else f" AND p.{SEQUENCE} > {since}"
        return f"EXISTS (SELECT 1 FROM {SPARED} AS p WHERE {self.same_key('p', alias)}{later})"

    def mark_deleted(self, condition: str, params: Sequence[Any] = ()) -> int:
        """Mark the existing rows ``t`` of a condition that no surviving row names; returns how many."""
        return self.session.change(
            f"UPDATE {self.into} AS t SET _deleted_at = ?, _synced_at = ?, _load_id = ? WHERE t._deleted_at IS NULL "
            f"AND {condition} AND NOT EXISTS (SELECT 1 FROM {self.survivors} AS s WHERE {self.same_key('s', 't')})",
            (self.at, self.at, self.load_id, *params),
        )


def drop_losers(merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]]) -> Merge:
    """Find the landed rows that don't count; returns the merge without them.

    Without a version, a row is what arrived last, and a delete is about that. With one, a delete ends all versions
    that arrived before it, and the highest of the others wins.

    Args:
        merge: what is merged.
        deletes: temporary relations of deletes: name, and the columns that they name beside ``_seq``.
    """
    merge.session.keep(LOSERS, f"SELECT {SEQUENCE} FROM {quote(merge.staged)} WHERE 1 = 0")
    if merge.version is None:
        return _drop_deleted(_drop_older(merge), deletes)
    return _drop_older(_drop_deleted(merge, deletes))


def _drop_older(merge: Merge) -> Merge:
    """Keep one row of each key: the highest version, of equal versions the last that arrived."""
    session = merge.session
    keys = ", ".join(map(quote, merge.key))
    twice = f"SELECT {keys} FROM {merge.survivors} AS s GROUP BY {keys} HAVING count(*) > 1"
    if not session.execute(f"{twice} LIMIT 1"):
        return merge
    order = f"{quote(merge.version)} DESC NULLS LAST, " if merge.version else ""
    session.keep(
        "leat_twice",
        f"SELECT {SEQUENCE}, row_number() OVER (PARTITION BY {keys} ORDER BY {order}{SEQUENCE} DESC) AS place "
        f"FROM {merge.survivors} AS s WHERE EXISTS (SELECT 1 FROM ({twice}) AS d WHERE {merge.same_key('d', 's')})",
    )
    session.execute(f"INSERT INTO {LOSERS} SELECT {SEQUENCE} FROM leat_twice WHERE place > 1")
    return replace(merge, losers=True)


def _drop_deleted(merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]]) -> Merge:
    """Drop the rows that a later delete covers, and remember them."""
    session = merge.session
    if deletes:
        session.keep(_ENDED, f"SELECT {SEQUENCE} FROM {LOSERS} WHERE 1 = 0")
    for name, columns in deletes:
        covered = session.change(
            f"INSERT INTO {_ENDED} SELECT s.{SEQUENCE} FROM {merge.survivors} AS s WHERE EXISTS (SELECT 1 FROM "
            f"{quote(name)} AS d WHERE {_equal(columns, 's', 'd')} AND d.{SEQUENCE} > s.{SEQUENCE})"
        )
        if covered:
            session.execute(f"INSERT INTO {LOSERS} SELECT {SEQUENCE} FROM {_ENDED}")
            merge = replace(merge, losers=True)
    return merge


def not_deleted(merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Return the condition that the source has not reported the row ``t`` as gone, or that it is spared."""
    spared = merge.spared("t", f"d.{SEQUENCE}")
    reported = [
        f"EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {_equal(columns, 't', 'd')} AND NOT {spared})"
        for name, columns in deletes
    ]
    return f"NOT ({' OR '.join(reported)})" if reported else "1 = 1"


def apply_deletes(merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]]) -> int:
    """Mark what the source reported as gone; returns how many rows."""
    spared = merge.spared("t", f"d.{SEQUENCE}")
    gone = sum(
        merge.mark_deleted(
            f"EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {_equal(columns, 't', 'd')} AND NOT {spared})"
        )
        for name, columns in deletes
    )
    if all(set(columns) <= set(merge.key) for _, columns in deletes):
        return gone
    # A delete by another column may cover a landed row but not the older one in the table that it replaced.
    ended = f"SELECT 1 FROM {quote(merge.staged)} AS e JOIN {_ENDED} AS n ON n.{SEQUENCE} = e.{SEQUENCE} "
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
        return cls(f"NOT EXISTS (SELECT 1 FROM {merge.survivors} AS v WHERE {_equal(columns, 't', 'v')})")


def apply_full_scan(merge: Merge, scan: Scan, max_share: float | None) -> int:
    """Mark what a complete listing did not name, neither well nor broken; returns how many rows.

    Raises:
        SuspiciousDelete: it would be a larger share than ``max_share`` (None: any share).
    """
    condition = f"{scan.condition} AND NOT {merge.spared('t')}"
    if max_share is not None:
        alive, gone = merge.session.execute(
            f"SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM {merge.survivors} AS s "
            f"WHERE {merge.same_key('s', 't')})) FROM {merge.into} AS t WHERE t._deleted_at IS NULL AND {condition}",
            scan.params,
        )[0]
        if alive >= GUARD_FROM and gone > round(max_share * alive, 6):  # 0.29 * 100 is less than 29
            raise SuspiciousDelete(
                merge.integration,
                f"comparing {merge.stream} with the complete listing",
                f"{gone} of {alive} rows would be deleted, more than the share {max_share:g} that is allowed",
                f"look at the system; if that is right, run `leat run {merge.integration} --allow-deletes`, "
                f"or raise streams.{merge.stream}.max_delete_share",
            )
    return merge.mark_deleted(condition, scan.params)


def upsert(merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[int, int]:
    """Replace the rows that differ and insert the new ones; returns (inserted, updated).

    A lower version does not replace a higher one, unless a delete came between them.
    """
    arriving, differs = _comparison(merge)
    if merge.version:
        version = quote(merge.version)
        older = "".join(
            f" AND NOT EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {_equal(named, 't', 'd')} "
            f"AND d.{SEQUENCE} < s.{SEQUENCE})"
            for name, named in deletes
        )
        differs = f"({differs}) AND (s.{version} < t.{version}{older}) IS NOT TRUE"
    if not merge.session.execute(f"SELECT 1 FROM {merge.into} LIMIT 1"):
        return _insert(merge, "1 = 1"), 0
    updated = merge.session.change(
        f"DELETE FROM {merge.into} AS t USING {arriving} AS s WHERE {merge.same_key('t', 's')} "
        f"AND (t._deleted_at IS NOT NULL OR {differs})"
    )
    written = _insert(merge, f"NOT EXISTS (SELECT 1 FROM {merge.into} AS t WHERE {merge.same_key('t', 's')})")
    return written - updated, updated


def _comparison(merge: Merge) -> tuple[str, str]:
    """Return the arriving rows as a relation ``s``, and the condition that one differs from the row ``t`` of its key.

    DuckDB compares two hashes of 64 bits over the columns in both orders, so that its join holds 16 bytes a row and
    not the row: measured on 10 million rows of ten columns, a third of the time, in less memory. That two different
    versions of one row have both hashes in common has a chance of 2 to the power of -128.
    """
    columns = [quote(name) for name in merge.columns if name not in merge.key]
    if merge.session.dialect == "postgres" or not columns:
        return merge.survivors, " OR ".join(f"t.{c} IS DISTINCT FROM s.{c}" for c in columns) or "1 = 0"

    def hashes(alias: str) -> tuple[str, str]:
        forth = ", ".join(f"{alias}.{c}" for c in columns)
        back = ", ".join(f"{alias}.{c}" for c in reversed(columns))
        return f"hash({forth}, 1)", f"hash({back}, 2)"

    needed = {*merge.key, SEQUENCE, *([merge.version] if merge.version else [])}
    first, second = hashes("r")
    listed = ", ".join(map(quote, sorted(needed)))
    arriving = f"(SELECT {listed}, {first} AS _first, {second} AS _second FROM {merge.survivors} AS r)"
    first, second = hashes("t")
    return arriving, f"s._first <> {first} OR s._second <> {second}"


def _insert(merge: Merge, condition: str) -> int:
    listed = ", ".join(map(quote, merge.columns))
    return merge.session.change(
        f"INSERT INTO {merge.into} ({listed}, _load_id, _synced_at, _deleted_at) "
        f"SELECT {listed}, ?, CAST(? AS TIMESTAMPTZ), NULL FROM {merge.survivors} AS s WHERE {condition}",
        (merge.load_id, merge.at),
    )


def write_history(merge: Merge) -> None:
    """Close the versions that this load ended and open those that it began."""
    history = quote(merge.integration, f"{merge.stream}_history")
    touched = f"SELECT 1 FROM {merge.into} AS t WHERE t._load_id = ? AND {merge.same_key('t', 'h')}"
    merge.session.execute(
        f"UPDATE {history} AS h SET valid_to = ? WHERE h.valid_to IS NULL AND EXISTS ({touched})",
        (merge.at, merge.load_id),
    )
    listed = ", ".join(map(quote, merge.columns))
    merge.session.execute(
        f"INSERT INTO {history} ({listed}, _load_id, valid_from) SELECT {listed}, _load_id, _synced_at "
        f"FROM {merge.into} WHERE _load_id = ? AND _deleted_at IS NULL",
        (merge.load_id,),
    )


def count(merge: Merge, changed: tuple[int, int, int], quarantined: int, purged: int) -> StreamResult:
    """Return what the merge did, with the rows that now exist and those landed with unknown fields.

    ``changed`` is how many rows were inserted, updated and deleted.
    """
    inserted, updated, deleted = changed
    total = merge.session.execute(f"SELECT count(*) FROM {merge.into} WHERE _deleted_at IS NULL")[0][0]
    drifted = 0
    if "extra" in merge.columns and (inserted or updated):
        drifted = merge.session.execute(
            f"SELECT count(*) FROM {merge.into} WHERE _load_id = ? AND _deleted_at IS NULL AND extra IS NOT NULL",
            (merge.load_id,),
        )[0][0]
    return StreamResult(merge.stream, inserted, updated, deleted, quarantined, int(drifted), int(total), purged)


def _equal(columns: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{quote(c)} = {right}.{quote(c)}" for c in columns)
