"""Apply one stream of a landed load: stage its rows, merge them into its table, set broken records aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from leat.pipelines.load import drift, quarantine, rebuild, retention, state
from leat.pipelines.load.conversion import broken_contract
from leat.pipelines.load.deletes import Scan, apply_deletes, apply_full_scan
from leat.pipelines.load.event_log import SEQUENCE, landed_column
from leat.pipelines.load.held_rows import NOBODY, Held
from leat.pipelines.load.landed_events import LandedEvents
from leat.pipelines.load.landing import Landed
from leat.pipelines.load.merge import Deletes, Merge, alive_before_upsert, count, upsert, write_history
from leat.pipelines.load.plan import RESET, LoadPlan
from leat.pipelines.load.quarantine_share import guard_quarantine
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.retention import Purged
from leat.pipelines.load.staging import stage_rows
from leat.pipelines.load.state import State
from leat.pipelines.load.stream_failures import Failure, blaming
from leat.pipelines.load.superseded import drop_superseded
from leat.pipelines.load.table_changes import create_table, index_loads, open_history, update_as_of
from leat.pipelines.load.table_schema import TableSchema
from leat.sources.stream import Column, Stream, arrow_schema
from leat.warehouse.session import Session


@dataclass(slots=True)
class Applying:
    """A load that is being applied.

    Attributes:
        session: the writing transaction.
        plan: of the load.
        landed: the landed load.
        events: its events.
        before: the state of the integration before the load.
        at: the time written into the rows.
        failed: the streams that are left out, and why.
        purged: what was removed of each stream.
        drifts: the fields of each stream that are new, or have vanished.
        reshaped: whether a table has another schema than before.
        held: whose rows stay, whatever retention says.
        totals: how many rows each stream had after its last load.
    """

    session: Session
    plan: LoadPlan
    landed: Landed
    events: LandedEvents
    before: State
    at: datetime
    failed: Mapping[str, Failure]
    purged: dict[str, Purged] = field(default_factory=dict)
    drifts: dict[str, drift.Drift] = field(default_factory=dict)
    reshaped: bool = False
    held: Held = NOBODY
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def integration(self) -> str:
        """Name of the integration."""
        return self.plan.declaration.name


def apply_stream(load: Applying, stream: Stream) -> StreamResult:
    """Apply a stream of a load.

    Raises:
        StreamFailed: it can't be applied, for a reason of its own.
    """
    failure = load.failed.get(stream.name)
    if failure is not None:
        return _left_out(load, stream, failure)
    with blaming(stream.name):
        result = _applied(load, stream)
        guard_quarantine(load.session, load.plan.declaration, result, load.events.reasons(stream.name))
    partly = load.events.failed.get(stream.name)
    complete = load.events.complete.get(stream.name) or None
    return replace(result, complete=complete, error=None if partly is None else partly.message)


def _left_out(load: Applying, stream: Stream, failure: Failure) -> StreamResult:
    """Return the result of a stream that failed; what its driver could not read is quarantined all the same."""
    total = load.totals.get(stream.name, 0)
    news = 0
    reported = load.events.failed.get(stream.name)
    if reported is None or reported.parts:
        merge = _staged(load, stream, stream.name)
        merge = quarantine.stage_reported(merge, load.events.quarantined[stream.name], load.landed)
        news = quarantine.put_aside(merge, complete=False)
    return StreamResult(stream.name, 0, 0, 0, news, 0, total, error=failure.message)


def _applied(load: Applying, stream: Stream) -> StreamResult:
    session, declaration = load.session, load.plan.declaration
    stored, schema = load.before.schemas.get(stream.name), load.plan.tables[stream.name]
    if _is_untouched(load, stream):
        update_as_of(session, declaration, stream, stored, None)
        return StreamResult(stream.name, 0, 0, 0, 0, 0, load.totals[stream.name])
    old = TableSchema.of_json(stored) if stored is not None and load.plan.rebuild else None
    if old is not None and rebuild.fits(old, schema):
        old = None
    table = stream.name if old is None else rebuild.begin(session, load.integration, stream.name)
    history = schema.history and old is None
    if not session.columns(load.integration, table):
        create_table(session, declaration, stream, table)
    opened = history and not (stored and stored["history"])
    if opened:
        open_history(session, declaration, stream)
    reshaped = stored != schema.as_json()
    merge = replace(_staged(load, stream, table), history=history)
    result = _merge(load, merge, stream, old)
    load.drifts[stream.name] = drift.find_drift(
        merge, result, listed=_is_listed(load, stream), reshaped=reshaped and stored is not None
    )
    if result.changed:
        index_loads(session, load.integration, table)
    if old is not None:
        rebuild.swap(session, declaration, stream, old, table)
    update_as_of(session, declaration, stream, stored, load.at if opened or old is not None else None)
    if reshaped:
        state.write_schema(session, load.integration, stream.name, schema.as_json())
        load.reshaped = True
    return result


def _is_untouched(load: Applying, stream: Stream) -> bool:
    """Return whether nothing that has arrived, or is declared, can change anything of a stream."""
    events, plan, name = load.events, load.plan, stream.name
    arrived = load.landed.files(name) or events.deletes[name] or events.scans[name] or events.quarantined[name]
    same = load.before.schemas.get(name) == plan.tables[name].as_json() and name in load.totals
    ages = plan.declaration.options(name).retain is not None
    return same and not arrived and not ages and not plan.rebuild and plan.kind != RESET and name not in events.failed


def _is_listed(load: Applying, stream: Stream) -> bool:
    """Return whether the rows that exist after the load are those of a complete listing."""
    whole = load.plan.kind == RESET or {} in load.events.scans[stream.name]
    return whole and stream.name not in load.events.failed


def _staged(load: Applying, stream: Stream, table: str) -> Merge:
    """Stage the landed rows of a stream; returns how they are merged into a table, without history."""
    columns = load.plan.declaration.columns(stream)
    staged = arrow_schema((*columns, Column(SEQUENCE, "integer", "Order of arrival.")))
    there = [*(landed_column(column.name) for column in columns), SEQUENCE]
    load.session.stage("leat_staged", load.landed.files(stream.name), staged, there)
    schema = load.plan.tables[stream.name]
    return Merge(
        session=load.session,
        integration=load.integration,
        stream=stream.name,
        table=table,
        staged="leat_staged",
        columns=schema.columns,
        key=schema.key,
        version=stream.version,
        history=False,
        load_id=load.landed.load_id,
        at=load.at,
    )


def _merge(load: Applying, merge: Merge, stream: Stream, old: TableSchema | None) -> StreamResult:
    """Merge the staged rows; ``old`` is the schema of the table that is rebuilt, if it is."""
    events, plan, landed = load.events, load.plan, load.landed
    options = plan.declaration.options(stream.name)
    deletes = _stage_deletes(merge, events, landed)
    merge = drop_superseded(merge, deletes)
    merge = retention.drop_expired(merge, options.retain)
    scans, reported = _scans(load, merge, stream), events.quarantined[stream.name]
    quarantined = 0
    if reported or quarantine.holds(merge):
        quarantine.forget(merge, deletes)
        merge = quarantine.stage_reported(merge, reported, landed)
        quarantined = quarantine.put_aside(merge, complete=Scan() in scans)
    deleted = apply_deletes(merge, deletes)
    share = None if plan.any_share else options.max_delete_share
    if events.has_identities(stream.name):
        deleted += sum(apply_full_scan(merge, scan, share) for scan in scans)
    elif scans and quarantined:
        withheld = {"stream": stream.name, "broken": len(reported)}
        events.logs.append({"event_type": "deletes_withheld", "data": withheld})
    sure = old is None and options.retain is None
    alive = alive_before_upsert(merge, load.totals.get(stream.name) if sure else None, deleted)
    inserted, updated = upsert(merge, deletes)
    if old is not None:
        proven = Scan() in scans and events.has_identities(stream.name)
        inserted += rebuild.carry_over(merge, old, plan.tables[stream.name], deletes, proven=proven)
    if merge.history and (inserted or updated or deleted):
        write_history(merge)
    purged = load.purged[stream.name] = retention.purge(merge, options.retain, plan.declaration, load.held)
    total = None if alive is None else alive + inserted
    return count(merge, (inserted, updated, deleted), quarantined, purged.of_tables, total)


def _scans(load: Applying, merge: Merge, stream: Stream) -> list[Scan]:
    """Return the complete listings of a stream: those that the driver has proven, in a reset the whole of it.

    Of a reset, the driver has read everything from the start. Where it has proven parts of the stream, what is in a
    part without any rows is gone as well; where it has proven nothing, nothing is gone.
    """
    claims, complete = load.events.scans[stream.name], load.events.complete
    if claims and stream.deletes != "full_scan":
        got = f"it claims a full scan of {stream.name}, whose deletes are {stream.deletes}"
        raise broken_contract(merge.integration, got)
    if stream.name in load.events.failed:  # a part of it could not be read: no listing of all of it is complete
        return [Scan.of(where) for where in claims if where]
    if load.plan.kind != RESET or stream.deletes == "never":
        return [Scan.of(where) for where in claims]
    if {} in claims or stream.deletes == "feed" or (stream.name in complete and not claims):
        return [Scan()]
    parts = {tuple(sorted(where)) for where in claims}
    return [*map(Scan.of, claims), *(Scan.of_vanished(merge, columns) for columns in parts if len(parts) == 1)]


def _stage_deletes(merge: Merge, events: LandedEvents, landed: Landed) -> Deletes:
    staged = []
    for number, (columns, rows) in enumerate(events.deletes[merge.stream].items()):
        name = f"leat_deletes_{number}"
        typed = tuple(Column(c, merge.columns[c], "") for c in columns)
        stage_rows(merge.session, name, (*typed, Column(SEQUENCE, "integer", "")), rows, landed)
        staged.append((name, columns))
    return staged
