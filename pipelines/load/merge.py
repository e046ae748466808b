"""Merge one stream of one landed load into its table: the SQL at the heart of the engine.

The table ends up as if every event of the load had happened to it in order of arrival, in one step:

1. of several versions of a row the last one wins, and one that a later delete covers ends with it;
2. rows that were deleted, or that a complete listing did not name, get ``_deleted_at``;
3. rows that differ are replaced, new ones inserted; a row that is equal is not touched;
4. with history, versions that ended are closed and new ones opened.

Whatever was touched carries the load's id, so each step can be read from the table itself, and merging the same load
again touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.results import StreamResult
from leat.warehouse.session import Session, quote

SUPERSEDED = "leat_superseded"  # a temporary table: the landed rows that don't count
_FEW = 10
"""Rows that arrive are few if the table has at least so many times as many."""
SPARED = "leat_spared"  # keys of broken records of the load: what is in the table stays as it is

Deletes = Sequence[tuple[str, tuple[str, ...]]]
"""Temporary relations of deletes: name, and the columns that they have in addition to ``_seq``."""


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
        history: whether there is a history.
        load_id: id of the load.
        at: when the load is applied.
        superseded: whether some landed rows don't count; see :func:`drop_superseded`.
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
    superseded: bool = False
    spares: bool = False

    @property
    def into(self) -> str:
        """The quoted name of the table."""
        return quote(self.integration, self.table)

    @property
    def effective(self) -> str:
        """The landed rows that count, as a relation."""
        if not self.superseded:
            return quote(self.staged)
        return (
            f"(SELECT * FROM {quote(self.staged)} AS r "
            f"WHERE NOT EXISTS (SELECT 1 FROM {SUPERSEDED} AS l WHERE l.{SEQUENCE} = r.{SEQUENCE}))"
        )

    def same_key(self, left: str, right: str) -> str:
        """Return the condition that two aliases have the same key."""
        return equal(self.key, left, right)

    def spared(self, alias: str, since: str | None = None) -> str:
        """Return the condition that the row of an alias is spared, for a record that came after a sequence number."""
        if not self.spares:
            return "1 = 0"
        later = "" if since is None else f" AND p.{SEQUENCE} > {since}"
        return f"EXISTS (SELECT 1 FROM {SPARED} AS p WHERE {self.same_key('p', alias)}{later})"

    def mark_deleted(self, condition: str, params: Sequence[Any] = ()) -> int:
        """Mark the existing rows ``t`` of a condition that no effective row names; returns how many."""
        return self.session.change(
            f"UPDATE {self.into} AS t SET _deleted_at = ?, _synced_at = ?, _load_id = ? WHERE t._deleted_at IS NULL "
            f"AND {condition} AND NOT EXISTS (SELECT 1 FROM {self.effective} AS s WHERE {self.same_key('s', 't')})",
            (self.at, self.at, self.load_id, *params),
        )


def upsert(merge: Merge, deletes: Deletes) -> tuple[int, int]:
    """Replace the rows that differ and insert the new ones; returns (inserted, updated).

    A lower version does not replace a higher one, unless a delete came between them.
    """
    arriving, differs = _comparison(merge)
    if merge.version:
        version = quote(merge.version)
        older = "".join(
            f" AND NOT EXISTS (SELECT 1 FROM {quote(name)} AS d WHERE {equal(named, 't', 'd')} "
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

    Where the engine has hashes of rows, they are compared and not the columns.
    """
    columns, dialect = [quote(name) for name in merge.columns if name not in merge.key], merge.session.dialect
    landed, stored = dialect.row_hashes("r", columns), dialect.row_hashes("t", columns)
    if landed is None or stored is None:
        return merge.effective, " OR ".join(f"t.{c} IS DISTINCT FROM s.{c}" for c in columns) or "1 = 0"
    needed = {*merge.key, SEQUENCE, *([merge.version] if merge.version else [])}
    listed = ", ".join(map(quote, sorted(needed)))
    arriving = f"(SELECT {listed}, {landed[0]} AS _first, {landed[1]} AS _second FROM {merge.effective} AS r)"
    return arriving, f"s._first <> {stored[0]} OR s._second <> {stored[1]}"


def _insert(merge: Merge, condition: str) -> int:
    listed = ", ".join(map(quote, merge.columns))
    return merge.session.change(
        f"INSERT INTO {merge.into} ({listed}, _load_id, _synced_at, _deleted_at) "
        f"SELECT {listed}, ?, CAST(? AS TIMESTAMPTZ), NULL FROM {merge.effective} AS s WHERE {condition}",
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


def alive_before_upsert(merge: Merge, total: int | None, deleted: int) -> int | None:
    """Return how many rows will exist after the upsert, but for those that it inserts.

    Where an index leads to the rows that come back, that costs less than to count all of them, unless many arrive.

    Args:
        merge: the stream, whose deletes have been applied.
        total: how many rows existed after the last load; None if that can't be relied on.
        deleted: how many rows this load has deleted.

    Returns:
        None when all rows are to be counted afterwards.
    """
    if total is None or not merge.session.dialect.key_index:
        return None
    ((arrived,),) = merge.session.execute(f"SELECT count(*) FROM {quote(merge.staged)}")
    if _FEW * arrived > total:
        return None
    ((back,),) = merge.session.execute(
        f"SELECT count(*) FROM {merge.into} AS t JOIN {merge.effective} AS s ON {merge.same_key('t', 's')} "
        "WHERE t._deleted_at IS NOT NULL"
    )
    return int(total - deleted + back)


def count(
    merge: Merge, changed: tuple[int, int, int], quarantined: int, purged: int, total: int | None = None
) -> StreamResult:
    """Return what the merge did, with the rows that now exist and those landed with unknown fields.

    ``changed`` is how many rows were inserted, updated and deleted, ``total`` how many exist now, if that is certain.
    """
    inserted, updated, deleted = changed
    if total is None:
        total = merge.session.execute(f"SELECT count(*) FROM {merge.into} WHERE _deleted_at IS NULL")[0][0]
    drifted = 0
    if "extra" in merge.columns and (inserted or updated):
        drifted = merge.session.execute(
            f"SELECT count(*) FROM {merge.into} WHERE _load_id = ? AND _deleted_at IS NULL AND extra IS NOT NULL",
            (merge.load_id,),
        )[0][0]
    return StreamResult(merge.stream, inserted, updated, deleted, quarantined, int(drifted), int(total), purged)


def equal(columns: Sequence[str], left: str, right: str) -> str:
    """Return the condition that two aliases have the same values in some columns."""
    return " AND ".join(f"{left}.{quote(c)} = {right}.{quote(c)}" for c in columns)
