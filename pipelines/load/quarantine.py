"""What a load puts into ``leat.quarantine`` and takes out of it.

Its key and the digest of its text identify a record: broken records without a key stay apart. One leaves when

- a row with its key arrives well, or the source reports that key as deleted;
- another broken record with its key arrives, which takes its place;
- a complete listing of the stream no longer has it.

The last good row of a broken record is spared by the deletes of the load that brought it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from leat.pipelines.load.conversion import MAX_KEY_BYTES
from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.landing import Landed
from leat.pipelines.load.merge import SPARED, Deletes, Merge
from leat.pipelines.load.staging import stage_rows
from leat.sources.stream import Column
from leat.warehouse.session import quote

REPORTED = "leat_reported"
_OF_STREAM = "q.integration = ? AND q.stream = ?"
_COLUMNS = (
    *(Column(name, "string", "") for name in ("record_key", "reason", "record", "digest")),
    Column("keyless", "boolean", ""),
    Column("cut", "boolean", ""),
    Column(SEQUENCE, "integer", ""),
)


def stage_reported(merge: Merge, reported: Sequence[Mapping[str, Any]], landed: Landed) -> Merge:
    """Stage the broken records of a load; returns the merge that spares their last good rows.

    Args:
        merge: of the stream.
        reported: what :func:`leat.pipelines.load.conversion.quarantine_data` made of them, with ``_seq``.
        landed: the load.
    """
    keys = tuple(Column(f"k{i}", merge.columns[name], "") for i, name in enumerate(merge.key))
    rows = [
        {
            "record_key": each["key"],
            "keyless": each["keyless"],
            "cut": len("".join(map(str, each["identity"].values())).encode()) > MAX_KEY_BYTES,
            **{name: each[name] for name in ("reason", "record", "digest", SEQUENCE)},
            **{f"k{i}": each["identity"].get(name) for i, name in enumerate(merge.key)},
        }
        for each in {(each["key"], each["digest"]): each for each in reported}.values()
    ]
    stage_rows(merge.session, REPORTED, (*_COLUMNS, *keys), rows, landed)
    named = ", ".join(f"k{i} AS {quote(name)}" for i, name in enumerate(merge.key))
    merge.session.create_temporary(SPARED, f"SELECT {named}, {SEQUENCE} FROM {REPORTED} WHERE {_whole(merge)}")
    return replace(merge, spares=True)


def _whole(merge: Merge) -> str:
    return " AND ".join(f"k{i} IS NOT NULL" for i in range(len(merge.key)))


def holds(merge: Merge) -> bool:
    """Return whether a record of the stream is in the quarantine."""
    sql = f"SELECT 1 FROM leat.quarantine AS q WHERE {_OF_STREAM} LIMIT 1"
    return bool(merge.session.execute(sql, (merge.integration, merge.stream)))


def forget(merge: Merge, deletes: Deletes) -> None:
    """Take records out of the quarantine whose key arrives well, or is deleted in the source."""
    sources = [f"{merge.effective} AS s"]
    sources += [f"{quote(name)} AS s" for name, columns in deletes if set(columns) == set(merge.key)]
    parts = ", ".join(f"CAST({quote(column)} AS VARCHAR)" for column in merge.key)
    named = [f"SELECT concat_ws('{sign}', {parts}) FROM {source}" for source in sources for sign in " /"]
    merge.session.execute(
        f"DELETE FROM leat.quarantine AS q WHERE {_OF_STREAM} AND record_key IN ({' UNION ALL '.join(named)})",
        (merge.integration, merge.stream),
    )


def put_aside(merge: Merge, complete: bool) -> int:
    """Put the staged records into the quarantine; returns how many are news.

    Args:
        merge: of the stream, from :func:`stage_reported`.
        complete: whether everything of the stream was listed, so that what isn't among them no longer exists.
    """
    session, stream = merge.session, (merge.integration, merge.stream)
    parts = ", ".join(f"CAST(k{i} AS VARCHAR)" for i in range(len(merge.key)))
    shown = f"CASE WHEN {_whole(merge)} AND NOT cut THEN concat_ws(' ', {parts}) ELSE record_key END"
    session.create_temporary(
        "leat_bad",
        f"SELECT record_key, digest, bool_and(keyless) AS keyless, max(reason) AS reason, max(record) AS record "
        f"FROM (SELECT {shown} AS record_key, digest, keyless, reason, record FROM {REPORTED}) AS r "
        "GROUP BY record_key, digest",
    )
    same_key = "b.record_key = q.record_key"
    same = f"{same_key} AND b.digest = q.digest"
    session.create_temporary(
        "leat_news",
        f"SELECT b.*, (SELECT min(q.first_seen_at) FROM leat.quarantine AS q WHERE {_OF_STREAM} AND {same_key} "
        f"AND (NOT b.keyless OR b.digest = q.digest)) AS first_seen_at FROM leat_bad AS b WHERE NOT EXISTS "
        f"(SELECT 1 FROM leat.quarantine AS q WHERE {_OF_STREAM} AND {same} AND b.reason = q.reason)",
        (*stream, *stream),
    )
    gone = [f"EXISTS (SELECT 1 FROM leat_news AS b WHERE {same})"]
    unlisted = f"NOT EXISTS (SELECT 1 FROM leat_bad AS b WHERE {same})"
    replaced = f"EXISTS (SELECT 1 FROM leat_bad AS b WHERE {same_key} AND NOT b.keyless)"
    gone.append(unlisted if complete else f"({replaced} AND {unlisted})")
    session.execute(f"DELETE FROM leat.quarantine AS q WHERE {_OF_STREAM} AND ({' OR '.join(gone)})", stream)
    return session.change(
        "INSERT INTO leat.quarantine (integration, stream, record_key, reason, record, load_id, first_seen_at, "
        "last_seen_at, digest) SELECT CAST(? AS VARCHAR), CAST(? AS VARCHAR), record_key, reason, record, "
        "CAST(? AS VARCHAR), COALESCE(first_seen_at, CAST(? AS TIMESTAMPTZ)), CAST(? AS TIMESTAMPTZ), digest "
        "FROM leat_news",
        (*stream, merge.load_id, merge.at, merge.at),
    )
