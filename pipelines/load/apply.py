"""Apply a landed load to the warehouse: all of its streams, its cursor and its log in one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load import drift, quarantine, retention, state
from leat.pipelines.load import merge as merging
from leat.pipelines.load.deletes import Scan, apply_deletes, apply_full_scan, not_deleted
from leat.pipelines.load.event_log import SEQUENCE, landed_column
from leat.pipelines.load.landing import LOAD_ID, Landed
from leat.pipelines.load.merge import Merge
from leat.pipelines.load.quarantine_share import guard_quarantine
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.retention import Purged
from leat.pipelines.load.shaping import broken_contract
from leat.pipelines.load.staging import stage_rows
from leat.pipelines.load.stream_failures import Failure, blaming
from leat.pipelines.load.superseded import drop_superseded
from leat.pipelines.load.table_changes import create_table, keep_as_of, migrate, open_history, replace_rows
from leat.pipelines.load.table_schema import TableSchema, declared_schema, needs_backfill
from leat.sources.stream import Column, Stream, arrow_schema
from leat.warehouse.session import Session, quote, sql_type

SYNC, RESET, BACKFILL, RETENTION = "sync", "reset", "backfill", "retention"
_REBUILT = "_new_"

_ANALYZED_FROM = 10
"""A table of which more than one row in so many is new is looked at anew by the planner."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a load is to be applied.

    Attributes:
        kind: ``sync`` moves the cursor; ``reset`` is a complete extraction: what it did not name is gone; ``backfill``
            has rows from a date on, and deletes nothing.
        streams: names of the streams that were extracted.
        keep_cursor: whether the cursor stays where it is, for a complete extraction of some streams only.
        rebuild: whether tables whose shape can't be migrated are built anew.
        any_share: whether full scans may delete any share of a table.
        since: from when on a backfill reads, ISO 8601.
    """

    kind: str
    streams: frozenset[str]
    keep_cursor: bool = False
    rebuild: bool = False
    any_share: bool = False
    since: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the plan as a JSON value."""
        return {**asdict(self), "streams": sorted(self.streams)}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Plan:
        """Return the plan that :meth:`as_json` gave."""
        return cls(**{**value, "streams": frozenset(value["streams"])})


@dataclass(slots=True)
class _Landed:
    """The events of a load, sorted by what they mean."""

    deletes: dict[str, dict[tuple[str, ...], list[dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    scans: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    complete: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    quarantined: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    logs: list[dict[str, Any]] = field(default_factory=list)
    cursor: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Load:
    """A load that is being applied."""

    session: Session
    declaration: Declaration
    landed: Landed
    events: _Landed
    plan: Plan
    at: datetime
    failed: Mapping[str, Failure]
    purged: dict[str, Purged] = field(default_factory=dict)
    drifts: dict[str, drift.Drift] = field(default_factory=dict)


def apply_load(
    session: Session,
    declaration: Declaration,
    landed: Landed,
    plan: Plan,
    at: datetime,
    failed: Mapping[str, Failure] | None = None,
) -> list[StreamResult] | None:
    """Apply a load inside an open transaction.

    Args:
        session: the writing transaction; the caller commits.
        declaration: whose load it is.
        landed: the landed load.
        plan: how.
        at: the time written into the rows; later than the last load's, even when the clock went backwards.
        failed: streams that an earlier attempt to apply the load has found to fail; they are left out, but for their
            quarantined records.

    Returns:
        One result per stream, or None when the load changed nothing at all, not even the cursor. When streams failed
        and no other changed, the results of those that failed; the cursor then stays where it was.

    Raises:
        StreamFailed: a stream can't be applied; because a full scan would delete too much, or too many of its records
            are quarantined, for example.
    """
    state.create_tables(session)
    before = state.read_state(session, declaration.name)
    events = _read(declaration, landed)
    if plan.kind == BACKFILL:
        events.deletes.clear()
        events.scans.clear()
        events.complete.clear()
    at = _later(session, declaration, at)
    whole = {stream: failure for stream, failure in events.failed.items() if not failure.parts}
    load = _Load(session, declaration, landed, events, plan, at, {**whole, **(failed or {})})
    results = [
        _apply_stream(load, stream, before.shapes.get(stream.name))
        for stream in declaration.selected()
        if stream.name in plan.streams
    ]
    stuck = bool(failed) and not any(result.changed for result in results)  # the next run extracts the same again
    moved = not stuck and _move(load, before, failed or {})
    shapes_changed = state.read_state(session, declaration.name).shapes != before.shapes
    told = [(log["event_type"], log["data"]) for log in events.logs] + _told(load.purged)
    told += [event for stream, found in load.drifts.items() for event in found.events(stream)]
    if not (any(r.changed or r.quarantined for r in results) or told):
        return [r for r in results if r.error] or ([] if moved or shapes_changed else None)
    for result in results:
        if _ANALYZED_FROM * (result.inserted + result.updated) > result.total:
            session.analyze(declaration.name, result.stream)
    state.write_load(session, landed.load_id, declaration.name, plan.kind, (_landed_at(landed), at))
    state.write_results(session, landed.load_id, declaration.name, results)
    state.insert(session, "log", [(landed.load_id, declaration.name, kind, _text(data), at) for kind, data in told])
    return results


def _move(load: _Load, before: state.State, failed: Mapping[str, Failure]) -> bool:
    """Write the cursor and the streams that it covers; returns whether either is another than before.

    A stream that failed while it was applied isn't covered, for its rows lack what the cursor has passed. Where the
    driver reported it, the stream's part of the cursor has stayed, unless everything was read from the start.
    """
    plan = load.plan
    reported = {s for s, failure in load.events.failed.items() if plan.keep_cursor or not failure.parts}
    cursor = None if plan.keep_cursor else load.events.cursor
    if plan.kind == RESET:
        covered = (before.covered if plan.keep_cursor else frozenset()) | (plan.streams - reported)
    else:
        covered = before.covered & plan.streams if cursor not in (None, before.cursor) else before.covered
    covered -= failed.keys()
    if cursor is None:
        cursor = before.cursor
    if cursor is None or (cursor == before.cursor and covered == before.covered):
        return False
    state.write_cursor(load.session, load.declaration.name, load.landed.load_id, cursor, covered)
    return True


def enforce_retention(session: Session, declaration: Declaration, load_id: str, at: datetime) -> list[StreamResult]:
    """Remove what isn't kept any longer, without a load, inside an open transaction.

    When that changes a table it is recorded like a load, of kind ``retention``, so that what reads the table is
    brought up to date.
    """
    session.limit_memory()
    state.create_tables(session)
    at = _later(session, declaration, at)
    shapes = state.read_state(session, declaration.name).shapes
    purged: dict[str, Purged] = {}
    results = []
    for name, retain in retention.retained(declaration).items():
        if name in shapes:
            shape = TableSchema.of_json(shapes[name])
            merge = Merge(
                session, declaration.name, name, name, "", shape.columns, shape.key, None, shape.history, load_id, at
            )
            purged[name] = retention.purge(merge, retain)
            results.append(merging.count(merge, (0, 0, 0), 0, purged[name].of_tables))
    retention.mark_enforced(session, declaration, at)
    told = _told(purged)
    if told:
        state.write_load(session, load_id, declaration.name, RETENTION, (at, at))
        state.write_results(session, load_id, declaration.name, results)
        state.insert(session, "log", [(load_id, declaration.name, kind, _text(data), at) for kind, data in told])
    return [result for result in results if result.changed]


def _later(session: Session, declaration: Declaration, at: datetime) -> datetime:
    last = state.last_applied(session, declaration.name)
    return max(at, last + timedelta(microseconds=1)) if last else at


def _told(purged: Mapping[str, Purged]) -> list[tuple[str, dict[str, Any]]]:
    return [(retention.EVENT, what.as_event(stream)) for stream, what in purged.items() if what != Purged()]


def _read(declaration: Declaration, landed: Landed) -> _Landed:
    events = _Landed()
    for sequence, kind, stream, data in sorted(landed.events(), key=itemgetter(0)):
        if kind == "delete":
            events.deletes[stream][tuple(sorted(data))].append({SEQUENCE: sequence, **data})
        elif kind == "full_scan":
            events.scans[stream].append(data["where"])
            events.complete[stream] = data["because"]
        elif kind == "listed":
            events.complete[stream] = data["because"]
        elif kind == "failed":
            events.failed[stream] = Failure(**data).joined(events.failed.get(stream))
        elif kind == "quarantined":
            events.quarantined[stream].append({SEQUENCE: sequence, **data})
        elif kind == "log":
            events.logs.append(data)
        elif kind == "cursor":
            events.cursor = data
        elif kind == "end":
            landed.check_rows(declaration.name, data["rows"])
    return events


def _apply_stream(load: _Load, stream: Stream, stored: Mapping[str, Any] | None) -> StreamResult:
    failure = load.failed.get(stream.name)
    if failure is not None:
        return _left_out(load, stream, failure)
    with blaming(stream.name):
        result = _applied(load, stream, stored)
        guard_quarantine(load.session, load.declaration, result, _reported(load, stream.name))
    partly = load.events.failed.get(stream.name)
    complete = load.events.complete.get(stream.name) or None
    return replace(result, complete=complete, error=None if partly is None else partly.message)


def _reported(load: _Load, stream: str) -> list[str]:
    """Return why records of a stream were quarantined by its driver."""
    return [record["reason"] for record in load.events.quarantined[stream]]


def _left_out(load: _Load, stream: Stream, failure: Failure) -> StreamResult:
    """Return the result of a stream that failed; what its driver could not read is quarantined all the same."""
    total = state.read_totals(load.session, load.declaration.name).get(stream.name, 0)
    news = 0
    reported = load.events.failed.get(stream.name)
    if reported is None or reported.parts:
        merge = _staged(load, stream, stream.name)
        merge = quarantine.stage_reported(merge, load.events.quarantined[stream.name], load.landed)
        news = quarantine.put_aside(merge, complete=False)
    return StreamResult(stream.name, 0, 0, 0, news, 0, total, error=failure.message)


def _applied(load: _Load, stream: Stream, stored: Mapping[str, Any] | None) -> StreamResult:
    session, declaration, plan = load.session, load.declaration, load.plan
    shape = declared_schema(declaration, stream)
    rebuilt = plan.rebuild and stored is not None and not _fits(TableSchema.of_json(stored), shape)
    table = _REBUILT + stream.name if rebuilt else stream.name
    history = shape.history and not rebuilt
    if rebuilt:
        session.execute(f"DROP TABLE IF EXISTS {quote(declaration.name, table)}")
        state.forget_quarantined(session, declaration.name, stream.name)
    if not session.columns(declaration.name, table):
        create_table(session, declaration, stream, table)
    opened = history and not (stored and stored["history"])
    if opened:
        open_history(session, declaration, stream)
    merge = replace(_staged(load, stream, table), history=history)
    result = _merge(load, merge, stream)
    load.drifts[stream.name] = drift.find_drift(
        merge,
        result,
        listed=stream.name not in load.events.failed and (plan.kind == RESET or {} in load.events.scans[stream.name]),
        reshaped=stored is not None and stored != shape.as_json(),
    )
    if stored is not None and rebuilt:
        _swap(session, declaration, stream, TableSchema.of_json(stored), table)
    keep_as_of(session, declaration, stream, stored, load.at if opened or rebuilt else None)
    if stored != shape.as_json():
        state.write_shape(session, declaration.name, stream.name, shape.as_json())
    return result


def _staged(load: _Load, stream: Stream, table: str) -> Merge:
    """Stage the landed rows of a stream; returns how they are merged into a table, without history."""
    session, declaration = load.session, load.declaration
    columns = declaration.columns(stream)
    staged = arrow_schema((*columns, Column(SEQUENCE, "integer", "Order of arrival.")))
    there = [*(landed_column(column.name) for column in columns), SEQUENCE]
    session.stage("leat_staged", load.landed.files(stream.name), staged, there)
    shape = declared_schema(declaration, stream)
    return Merge(
        session=session,
        integration=declaration.name,
        stream=stream.name,
        table=table,
        staged="leat_staged",
        columns=shape.columns,
        key=shape.key,
        version=stream.version,
        history=False,
        load_id=load.landed.load_id,
        at=load.at,
    )


def _merge(load: _Load, merge: Merge, stream: Stream) -> StreamResult:
    events, plan, landed = load.events, load.plan, load.landed
    deletes = _stage_deletes(merge, events, landed)
    retain = load.declaration.options(stream.name).retain
    merge = drop_superseded(merge, deletes)
    merge = retention.drop_expired(merge, retain)
    scans, reported = _scans(load, merge, stream), events.quarantined[stream.name]
    quarantined = 0
    if reported or quarantine.holds(merge):
        quarantine.forget(merge, deletes)
        merge = quarantine.stage_reported(merge, reported, landed)
        quarantined = quarantine.put_aside(merge, complete=Scan() in scans)
    deleted = apply_deletes(merge, deletes)
    share = None if plan.any_share else load.declaration.options(stream.name).max_delete_share
    if all(record["identity"] for record in reported):
        deleted += sum(apply_full_scan(merge, scan, share) for scan in scans)
    elif scans and quarantined:
        said = {"stream": stream.name, "broken": len(reported)}
        events.logs.append({"event_type": "deletes_withheld", "data": said})
    inserted, updated = merging.upsert(merge, deletes)
    if merge.table != stream.name:
        proven = Scan() in scans and all(record["identity"] for record in reported)
        inserted += _carry_over(load, merge, deletes, proven=proven)
    if merge.history and (inserted or updated or deleted):
        merging.write_history(merge)
    purged = load.purged[stream.name] = retention.purge(merge, retain)
    return merging.count(merge, (inserted, updated, deleted), quarantined, purged.of_tables)


def _scans(load: _Load, merge: Merge, stream: Stream) -> list[Scan]:
    """Return the complete listings of a stream: those that the driver has proven, in a reset the whole of it.

    Of a reset, the driver has read everything from the start. Where it has proven parts of the stream, what is in a
    part of which nothing came is gone as well; where it has proven nothing, nothing is.
    """
    claims, found = load.events.scans[stream.name], load.events.complete
    if claims and stream.deletes != "full_scan":
        got = f"it claims a full scan of {stream.name}, whose deletes are {stream.deletes}"
        raise broken_contract(merge.integration, got)
    if stream.name in load.events.failed:  # a part of it could not be read: no listing of all of it is complete
        return [Scan.of(where) for where in claims if where]
    if load.plan.kind != RESET or stream.deletes == "never":
        return [Scan.of(where) for where in claims]
    if {} in claims or stream.deletes == "feed" or (stream.name in found and not claims):
        return [Scan()]
    parts = {tuple(sorted(where)) for where in claims}
    return [*map(Scan.of, claims), *(Scan.of_vanished(merge, columns) for columns in parts if len(parts) == 1)]


def _carry_over(load: _Load, merge: Merge, deletes: Sequence[tuple[str, tuple[str, ...]]], proven: bool) -> int:
    """Bring rows of the old table into the one that is built anew: those that nothing proves to be gone.

    That is as far as they can have the new form: not when the key or what is hashed has changed. Returns how many.
    """
    old = TableSchema.of_json(state.read_state(load.session, merge.integration).shapes[merge.stream])
    wanted = declared_schema(load.declaration, next(s for s in load.declaration.selected() if s.name == merge.stream))
    kept = [c for c, kind in wanted.columns.items() if c in old.columns and kind in (old.columns[c], "string")]
    if (old.key, old.masked) != (wanted.key, wanted.masked) or not set(wanted.key) <= set(kept):
        return 0
    text = sql_type("string", load.session.dialect)
    values = ", ".join(quote(c) if wanted.columns[c] == old.columns[c] else f"CAST({quote(c)} AS {text})" for c in kept)
    listed = ", ".join(map(quote, kept))
    which = merge.spared("t") if proven else not_deleted(merge, deletes)
    return load.session.change(
        f"INSERT INTO {merge.into} ({listed}, _load_id, _synced_at) SELECT {values}, ?, CAST(? AS TIMESTAMPTZ) "
        f"FROM {quote(merge.integration, merge.stream)} AS t WHERE t._deleted_at IS NULL AND {which} "
        f"AND NOT EXISTS (SELECT 1 FROM {merge.into} AS n WHERE {merge.same_key('n', 't')})",
        (merge.load_id, merge.at),
    )


def _fits(stored: TableSchema, wanted: TableSchema) -> bool:
    """Return whether a table of the stored shape can take rows of the wanted one without a rebuild."""
    return (stored.key, stored.masked) == (wanted.key, wanted.masked) and stored.columns == wanted.columns


def _swap(session: Session, declaration: Declaration, stream: Stream, old: TableSchema, table: str) -> None:
    """Put the rebuilt rows in the place of the old ones; the history starts anew."""
    history = f"{stream.name}_history"
    if session.dialect == "postgres":
        replace_rows(session, declaration, stream, old, table)
    else:
        session.execute(f"DROP TABLE {quote(declaration.name, stream.name)}")
        session.execute(f"ALTER TABLE {quote(declaration.name, table)} RENAME TO {quote(stream.name)}")
        session.execute(f"DROP TABLE IF EXISTS {quote(declaration.name, history)}")
    if declaration.options(stream.name).history:
        open_history(session, declaration, stream)


def prepare_table(session: Session, declaration: Declaration, stream: Stream, at: datetime) -> None:
    """Bring the existing table of a stream into the declared shape, in a short transaction of its own.

    On Postgres this takes locks that would block readers for as long as an apply lasts. ``at`` is the time of the run.

    Raises:
        StreamFailed: values would be lost.
    """
    state.create_tables(session)
    stored = state.read_state(session, declaration.name).shapes.get(stream.name)
    wanted = declared_schema(declaration, stream)
    if stored is None or stored == wanted.as_json():
        return
    with blaming(stream.name):
        migrate(session, declaration, stream, TableSchema.of_json(stored))
    opened = wanted.history and not stored["history"]
    if opened:
        open_history(session, declaration, stream)
    keep_as_of(session, declaration, stream, stored, _later(session, declaration, at) if opened else None)
    if not needs_backfill(TableSchema.of_json(stored), wanted):
        state.write_shape(session, declaration.name, stream.name, wanted.as_json())


def _stage_deletes(merge: Merge, events: _Landed, landed: Landed) -> list[tuple[str, tuple[str, ...]]]:
    staged = []
    for number, (columns, rows) in enumerate(events.deletes[merge.stream].items()):
        name = f"leat_deletes_{number}"
        typed = tuple(Column(c, merge.columns[c], "") for c in columns)
        stage_rows(merge.session, name, (*typed, Column(SEQUENCE, "integer", "")), rows, landed)
        staged.append((name, columns))
    return staged


def _landed_at(landed: Landed) -> datetime:
    return datetime.strptime(landed.load_id, LOAD_ID).replace(tzinfo=UTC)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
