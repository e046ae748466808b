"""How long rows, versions and broken records stay, as declared under ``retain:``, enforced where rows are applied.

What is removed doesn't come back: a row that is read again and is older than that isn't loaded, and of a broken
record a digest stays, by which it is recognised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from leat.pipelines.declare.declaration import Declaration, Retain
from leat.pipelines.load import as_of, state
from leat.pipelines.load.event_log import SEQUENCE
from leat.pipelines.load.held_rows import NOBODY, Held
from leat.pipelines.load.merge import SUPERSEDED, Merge, count
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.state import State
from leat.pipelines.load.table_schema import TableSchema
from leat.warehouse.clock import is_within
from leat.warehouse.session import Session, execute_all, quote

RETENTION = "retention"
"""Kind of a load that only removes what is older than ``retain:`` allows."""
EVENT = "retention_enforced"
DIGEST = "md5 "  # before the digest of a record whose content was removed
_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed of one stream.

    Attributes:
        rows: rows whose own time was too long ago.
        deleted: rows that had been gone from the source for too long.
        versions: versions in the history.
        records: broken records whose content was removed.
    """

    rows: int = 0
    deleted: int = 0
    versions: int = 0
    records: int = 0

    @property
    def of_tables(self) -> int:
        """How many rows of the table and its history were removed."""
        return self.rows + self.deleted + self.versions

    def as_event(self, stream: str) -> dict[str, Any]:
        """Return what the log records."""
        return {"stream": stream, **{name: count for name, count in asdict(self).items() if count}}


def retained(declaration: Declaration) -> dict[str, Retain]:
    """Return what is declared, by the name of the stream, of those that are loaded."""
    options = {stream.name: declaration.options(stream.name).retain for stream in declaration.selected()}
    return {name: retain for name, retain in options.items() if retain is not None}


def is_due(current: State, declaration: Declaration, now: datetime) -> bool:
    """Return whether what is declared has changed since it was enforced, or that was a day ago."""
    if not retained(declaration):
        return False
    if current.retention is None:
        return True
    declared, enforced_at = current.retention
    return declared != _declared(declaration) or not is_within(enforced_at, now, _EVERY)


def mark_enforced(session: Session, declaration: Declaration, at: datetime) -> None:
    """Note, in the open transaction, that everything that is declared is enforced."""
    session.execute("DELETE FROM leat.retention WHERE integration = ?", (declaration.name,))
    if retained(declaration):
        state.insert(session, "retention", [(declaration.name, _declared(declaration), at)])


def _declared(declaration: Declaration) -> str:
    values = {name: retain.model_dump(mode="json") for name, retain in retained(declaration).items()}
    return json.dumps(values, sort_keys=True)


def drop_expired(merge: Merge, retain: Retain | None) -> Merge:
    """Return the merge without landed rows that are too old and aren't in the table.

    Those that are in the table are merged, so that a complete listing names them, and then purged with the rest.
    """
    if retain is None or retain.by is None or retain.rows is None:
        return merge
    old = _older(merge.columns, retain.by, "s")
    dropped = merge.session.change(
        f"INSERT INTO {SUPERSEDED} SELECT s.{SEQUENCE} FROM {merge.effective} AS s WHERE {old} "
        f"AND NOT EXISTS (SELECT 1 FROM {merge.into} AS t WHERE {merge.same_key('t', 's')})",
        (merge.at - retain.rows,),
    )
    return replace(merge, superseded=True) if dropped else merge


def purge(merge: Merge, retain: Retain | None, declaration: Declaration, held: Held = NOBODY) -> Purged:
    """Remove what is older than ``retain:`` allows of a stream, but for people on hold, in the open transaction."""
    if retain is None:
        return Purged()
    session, at = merge.session, merge.at
    history = f"{merge.stream}_history"
    others, whom = held.others(session, declaration, merge.stream, merge.table)
    versioned = merge.table == merge.stream and bool(session.columns(merge.integration, history))
    versions = quote(merge.integration, history)
    earlier, of_whom = held.others(session, declaration, merge.stream, history) if versioned else ("1 = 1", [])
    rows = deleted = ended = records = 0
    if retain.rows is not None and retain.by is not None:
        old, until = _older(merge.columns, retain.by), at - retain.rows
        rows = session.change(f"DELETE FROM {merge.into} WHERE {old} AND {others}", (until, *whom))
        if versioned:
            ended = session.change(f"DELETE FROM {versions} WHERE {old} AND {earlier}", (until, *of_whom))
    if retain.deleted is not None:
        gone = f"DELETE FROM {merge.into} WHERE _deleted_at < ? AND {others}"
        deleted = session.change(gone, (at - retain.deleted, *whom))
    if retain.history is not None and versioned:
        past = f"DELETE FROM {versions} WHERE valid_to < ? AND {earlier}"
        removed = session.change(past, (at - retain.history, *of_whom))
        if removed:
            _forget_before(session, merge, at - retain.history)
        ended += removed
    if retain.quarantine is not None:
        nobody, named = held.records(session, merge.integration)
        records = session.change(
            "UPDATE leat.quarantine SET record = ? || md5(record) WHERE integration = ? AND stream = ? "
            f"AND last_seen_at < ? AND record <> '' AND record NOT LIKE '{DIGEST}%' AND {nobody}",
            (DIGEST, merge.integration, merge.stream, at - retain.quarantine, *named),
        )
    return Purged(rows, deleted, ended, records)


def _forget_before(session: Session, merge: Merge, moment: datetime) -> None:
    since = as_of.complete_from(session, merge.integration, merge.stream)
    if since is not None and since < moment:
        as_of.set_complete_from(session, merge.integration, merge.stream, moment)


def _older(columns: Mapping[str, str], by: str, alias: str = "") -> str:
    column = f"{alias}.{quote(by)}" if alias else quote(by)
    kinds = {"timestamp": "TIMESTAMPTZ", "datetime": "TIMESTAMP", "date": "DATE"}
    return f"{column} < CAST(? AS {kinds[columns[by]]})"


def purged_events(purged: Mapping[str, Purged]) -> list[tuple[str, dict[str, Any]]]:
    """Return the log entry of each stream from which something was removed: the event type and its data."""
    return [(EVENT, what.as_event(stream)) for stream, what in purged.items() if what != Purged()]


def enforce_retention(
    session: Session, declaration: Declaration, current: State, load_id: str, at: datetime, held: Held = NOBODY
) -> list[StreamResult]:
    """Remove what is older than ``retain:`` allows, but for people on hold, without a load, in an open transaction.

    When that changes a table it is recorded like a load, of kind ``retention``, so that what reads the table is
    brought up to date.
    """
    execute_all(session, session.dialect.settings("merge"))
    state.create_tables(session)
    at = current.later(at)
    purged: dict[str, Purged] = {}
    results = []
    for name, retain in retained(declaration).items():
        if name in current.schemas:
            schema = TableSchema.of_json(current.schemas[name])
            merge = Merge(
                session, declaration.name, name, name, "", schema.columns, schema.key, None, schema.history, load_id, at
            )
            purged[name] = purge(merge, retain, declaration, held)
            results.append(count(merge, (0, 0, 0), 0, purged[name].of_tables))
    mark_enforced(session, declaration, at)
    events = purged_events(purged)
    if events:
        state.write_load(session, load_id, declaration.name, RETENTION, (at, at))
        state.write_results(session, load_id, declaration.name, results)
        state.write_log(session, load_id, declaration.name, events, at)
    return [result for result in results if result.changed]
