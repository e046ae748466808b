"""Which landed rows of a stream count: of several versions of a row one wins, and a later delete ends a row."""

from __future__ import annotations

from dataclasses import replace

from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.merge import SUPERSEDED, Deletes, Merge, equal
from leat.warehouse.session import quote

ENDED = "leat_ended"
"""A temporary table: the superseded rows that a later delete covers."""


def drop_superseded(merge: Merge, deletes: Deletes) -> Merge:
    """Find the landed rows that don't count; returns the merge without them.

    Without a version, a row is what arrived last, and a delete is about that. With one, a delete ends all versions
    that arrived before it, and the highest of the others wins.

    Args:
        merge: what is merged.
        deletes: temporary relations of deletes: name, and the columns that they have in addition to ``_seq``.
    """
    merge.session.create_temporary(SUPERSEDED, f"SELECT {SEQUENCE} FROM {quote(merge.staged)} WHERE 1 = 0")
    if merge.version is None:
        return _drop_deleted(_drop_older(merge), deletes)
    return _drop_older(_drop_deleted(merge, deletes))


def _drop_older(merge: Merge) -> Merge:
    """Leave one row per key: the highest version, and of equal versions the last that arrived."""
    session = merge.session
    keys = ", ".join(map(quote, merge.key))
    twice = f"SELECT {keys} FROM {merge.effective} AS s GROUP BY {keys} HAVING count(*) > 1"
    if not session.execute(f"{twice} LIMIT 1"):
        return merge
    order = f"{quote(merge.version)} DESC NULLS LAST, " if merge.version else ""
    session.create_temporary(
        "leat_twice",
        f"SELECT {SEQUENCE}, row_number() OVER (PARTITION BY {keys} ORDER BY {order}{SEQUENCE} DESC) AS place "
        f"FROM {merge.effective} AS s WHERE EXISTS (SELECT 1 FROM ({twice}) AS d WHERE {merge.same_key('d', 's')})",
    )
    session.execute(f"INSERT INTO {SUPERSEDED} SELECT {SEQUENCE} FROM leat_twice WHERE place > 1")
    return replace(merge, superseded=True)


def _drop_deleted(merge: Merge, deletes: Deletes) -> Merge:
    """Drop the rows that a later delete covers, and remember them."""
    session = merge.session
    if deletes:
        session.create_temporary(ENDED, f"SELECT {SEQUENCE} FROM {SUPERSEDED} WHERE 1 = 0")
    for name, columns in deletes:
        covered = session.change(
            f"INSERT INTO {ENDED} SELECT s.{SEQUENCE} FROM {merge.effective} AS s WHERE EXISTS (SELECT 1 FROM "
            f"{quote(name)} AS d WHERE {equal(columns, 's', 'd')} AND d.{SEQUENCE} > s.{SEQUENCE})"
        )
        if covered:
            session.execute(f"INSERT INTO {SUPERSEDED} SELECT {SEQUENCE} FROM {ENDED}")
            merge = replace(merge, superseded=True)
    return merge
