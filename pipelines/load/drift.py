"""Drift: fields that are new in a stream, or have vanished from it, each reported once.

``leat.fields`` has the fields of each stream that were seen with a value: declared columns, and the names in ``extra``.
It is compared with the rows that a load has left, in the load's transaction. A field is new when it comes in ``extra``
for the first time. It has vanished when a complete listing has no value of it. Names alone are looked at, never values;
where ``extra`` is masked its names may be personal as well, so that it counts as one field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leat.pipelines.load import state
from leat.pipelines.load.merge import Merge
from leat.pipelines.load.results import StreamResult
from leat.sources.stream import EXTRA
from leat.warehouse.session import Session, quote

APPEARED, VANISHED = "fields_appeared", "fields_vanished"
_OF_STREAM = "integration = ? AND stream = ?"
SIZEABLE = 10
"""A listing of fewer rows says nothing of a field that none of them has."""
_MOST = 500
"""So many fields of a stream are followed: where there are more, their names are data."""
_LONGEST = 100
_SHOWN = 50
SHOWN_FOR = timedelta(days=7)
"""So long after a load that changed the fields of a stream, that is shown as something new."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The fields of one stream that a load has brought, and those that it no longer has."""

    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    def events(self, stream: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what the log records: the type of an event, and its data."""
        for kind, fields in ((APPEARED, self.appeared), (VANISHED, self.vanished)):
            if fields:
                more = {"more": len(fields) - _SHOWN} if len(fields) > _SHOWN else {}
                yield kind, {"stream": stream, "fields": list(fields[:_SHOWN]), **more}


@dataclass(frozen=True, slots=True)
class Change:
    """What the log says of the fields of a stream: ``kind`` is :data:`APPEARED` or :data:`VANISHED`."""

    integration: str
    stream: str
    kind: str
    fields: tuple[str, ...]
    more: int
    load_id: str
    at: datetime

    @property
    def words(self) -> str:
        """The change in words: ``new fields: a, b``."""
        what = "new field" if self.kind == APPEARED else "no values any longer in field"
        plural = "s" if len(self.fields) + self.more > 1 else ""
        return f"{what}{plural}: {', '.join(self.fields)}" + (f" and {self.more} more" if self.more else "")


def find_drift(merge: Merge, result: StreamResult, *, listed: bool, reshaped: bool) -> Drift:
    """Compare the fields of a stream with those that were seen before, and remember them.

    Args:
        merge: the stream, after its rows were merged.
        result: what the merge did.
        listed: whether the rows that exist now are those of a complete listing.
        reshaped: whether the declared columns have changed: then all fields count as seen for the first time.
    """
    if not (result.inserted or result.updated or result.deleted):
        return Drift()
    before = _seen(merge)
    first = reshaped or not before
    if first:
        before = {}
    everything = listed or first
    unknown = _in_extra(merge, result, everything=everything)
    present = dict.fromkeys(_filled(merge) if everything else (), False) | dict.fromkeys(unknown, True)
    new = [name for name in present if name not in before][: max(_MOST - len(before), 0)]
    of_table = {*merge.columns}
    if len(unknown) < _MOST:  # else there may be more than were read
        of_table |= {name for name, (in_extra, _) in before.items() if in_extra}
    gone = [name for name, (_, vanished) in before.items() if vanished is None and name not in present]
    back = [name for name in present if name in before and before[name][1] is not None]
    drift = Drift() if first else Drift(
        appeared=tuple(sorted([*(name for name in new if present[name]), *back])),
        vanished=tuple(sorted(set(gone) & of_table)) if listed and result.total >= SIZEABLE else (),
    )  # fmt: skip
    if first:
        merge.session.execute(f"DELETE FROM leat.fields WHERE {_OF_STREAM}", (merge.integration, merge.stream))
    _remember(merge, {name: present[name] for name in new}, drift.vanished, back)
    return drift


def changes_since(session: Session, since: datetime) -> list[Change]:
    """Return what the log says of fields from a time on, the oldest first."""
    if not session.columns(state.SCHEMA, "log"):
        return []
    rows = session.execute(
        "SELECT integration, event_type, event_data, load_id, created_at FROM leat.log WHERE created_at >= ? "
        "AND event_type IN (?, ?) ORDER BY created_at, integration, event_type",
        (since, APPEARED, VANISHED),
    )
    return [_change(*row) for row in rows]


def _change(integration: str, kind: str, data: Any, load_id: str, at: datetime) -> Change:
    said = json.loads(data) if isinstance(data, str) else data
    return Change(integration, said["stream"], kind, tuple(said["fields"]), said.get("more", 0), load_id, at)


def _seen(merge: Merge) -> dict[str, tuple[bool, datetime | None]]:
    sql = f"SELECT field, in_extra, vanished_at FROM leat.fields WHERE {_OF_STREAM}"
    rows = merge.session.execute(sql, (merge.integration, merge.stream))
    return {field: (in_extra, vanished) for field, in_extra, vanished in rows}


def _in_extra(merge: Merge, result: StreamResult, *, everything: bool) -> Sequence[str]:
    """Return the names in ``extra``, of all rows that exist or of those that the load has touched."""
    kind = merge.columns.get(EXTRA)
    if kind is None or not (everything or result.drifted):
        return ()
    of_load, params = ("", ()) if everything else (" AND _load_id = ?", (merge.load_id,))
    rows = f"FROM {merge.into} WHERE _deleted_at IS NULL AND {EXTRA} IS NOT NULL{of_load}"
    if kind != "json":
        return (EXTRA,) if merge.session.execute(f"SELECT 1 {rows} LIMIT 1", params) else ()
    keys = merge.session.dialect.json_keys(EXTRA)
    names = f"SELECT DISTINCT name FROM (SELECT {keys} AS name {rows}) AS k WHERE length(name) <= {_LONGEST}"
    return [row[0] for row in merge.session.execute(f"{names} ORDER BY name LIMIT {_MOST}", params)]


def _filled(merge: Merge) -> list[str]:
    """Return the declared columns that have a value in some existing row."""
    columns = [name for name in merge.columns if name != EXTRA]
    counts = ", ".join(f"count({quote(name)})" for name in columns)
    (row,) = merge.session.execute(f"SELECT {counts} FROM {merge.into} WHERE _deleted_at IS NULL")
    return [name for name, count in zip(columns, row, strict=True) if count]


def _remember(merge: Merge, new: Mapping[str, bool], vanished: Sequence[str], back: Sequence[str]) -> None:
    """Write what has changed of what was seen."""
    for names, at in ((vanished, merge.at), (back, None)):
        if names:
            merge.session.execute(
                f"UPDATE leat.fields SET vanished_at = ? WHERE {_OF_STREAM} "
                f"AND field IN ({', '.join('?' * len(names))})",
                (at, merge.integration, merge.stream, *names),
            )
    rows = [
        (merge.integration, merge.stream, name, extra, merge.load_id, merge.at, None) for name, extra in new.items()
    ]
    state.insert(merge.session, "fields", rows)
