"""The life of one integration in a run: apply what an earlier run landed, then plan, extract, land, apply and check."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load import retention, state
from leat.pipelines.load.checking import check_tables
from leat.pipelines.load.column_key import with_column_key
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.error_message import failure_of
from leat.pipelines.load.extract import extract
from leat.pipelines.load.landing import Landed, landed_loads, landing_folder, next_load_id
from leat.pipelines.load.plan import LoadPlan, continued, declared_tables, plan_loads, stored_plan
from leat.pipelines.load.results import StreamResult
from leat.pipelines.load.state import State
from leat.pipelines.load.stream_failures import StreamFailed
from leat.pipelines.load.table_schema import TableSchema
from leat.pipelines.load.totals import RunTotals
from leat.warehouse.publication import rewrite_next_version
from leat.warehouse.session import Busy


def load_integration(engine: Engine, declaration: Declaration, request: Request, totals: RunTotals) -> None:
    """Bring an integration up to date, once; the caller holds the right to run it.

    Raises:
        IntegrationError: extracting failed.
        Busy: another process has loaded the integration meanwhile.
        Blocked: checks failed of tables that no stream can be blamed for.
    """
    tables = declared_tables(declaration)
    folder = landing_folder(engine.project.state, declaration.name, dry=request.dry)
    for landed in landed_loads(folder):
        _apply_pending(engine, declaration, tables, landed, request, totals)
    current = _read_state(engine, declaration, request, totals)
    plans = plan_loads(declaration, tables, current, request, datetime.now(UTC))
    if request.reset is None and not request.dry:
        _prepare_tables(engine, plans[0], totals)
    for number, planned in enumerate(plans):
        if number:  # the load before has moved it
            current = _read_state(engine, declaration, request, totals)
        plan = continued(planned, current, frozenset(totals.failures), datetime.now(UTC))
        plan = with_column_key(engine, plan, datetime.now(UTC))
        if plan.streams:
            _load(engine, plan, totals)
    if request.dry:
        with contextlib.suppress(OSError):
            folder.rmdir()
    elif plan.retention_due and not totals.retention_enforced and (current.exists or totals.load_id):
        _enforce_retention(engine, declaration, totals, forced=request.forced)


def _apply_pending(
    engine: Engine,
    declaration: Declaration,
    tables: Mapping[str, TableSchema],
    landed: Landed,
    request: Request,
    totals: RunTotals,
) -> None:
    """Apply a load that an earlier run landed and did not apply.

    One of another table schema is extracted again instead, and so is one that was overtaken by a run on another
    machine.
    """
    stored = None if request.dry else landed.read_plan()
    plan = None if stored is None else stored_plan(declaration, tables, stored, request)
    if plan is None:
        landed.remove()
    else:
        from leat.pipelines.load.commit import commit_load

        commit_load(engine, plan, landed, totals)


def _read_state(engine: Engine, declaration: Declaration, request: Request, totals: RunTotals) -> State:
    """Return the state of an integration; streams that no load of this run has touched get their number of rows."""
    chosen = request.only.get(declaration.name)
    streams = [stream.name for stream in declaration.selected() if chosen is None or stream.name in chosen]
    missing = [stream for stream in streams if stream not in totals.streams]
    with engine.warehouse.snapshot() as session:
        current = state.read_state(session, declaration.name)
        rows = state.read_totals(session, declaration.name) if missing else {}
    totals.streams |= {name: StreamResult(name, 0, 0, 0, 0, 0, rows.get(name, 0)) for name in missing}
    return current


def _prepare_tables(engine: Engine, plan: LoadPlan, totals: RunTotals) -> None:
    """Bring the tables whose declared schema has changed into it."""
    for stream in plan.declaration.selected():
        stored = plan.start.schemas.get(stream.name)
        if stored is None or stored == plan.tables[stream.name].as_json():
            continue
        from leat.pipelines.load.table_changes import prepare_table

        try:
            with engine.warehouse.transaction(lease=engine.lease) as session:  # others read what it changes
                prepare_table(session, plan.declaration, stream, datetime.now(UTC))
        except StreamFailed as failed:
            totals.fail({stream.name: failure_of(plan.declaration.name, failed.error)})


def _load(engine: Engine, plan: LoadPlan, totals: RunTotals) -> None:
    landed = extract(engine, plan)
    if landed is None:
        return
    from leat.pipelines.load.commit import commit_load  # with all that writes, which a run with nothing new never needs

    if not commit_load(engine, plan, landed, totals):
        msg = f"integration {plan.declaration.name} was loaded by another process in the meantime; retry"
        raise Busy(msg)


def _enforce_retention(engine: Engine, declaration: Declaration, totals: RunTotals, *, forced: bool) -> None:
    """Remove what is older than ``retain:`` allows, where no load has just done so."""
    now = datetime.now(UTC)
    engine.observe(declaration.name, "purging")
    rewrite_next_version(engine.warehouse)
    with engine.writing(declaration.name) as session:
        current = state.read_state(session, declaration.name)
        load_id = next_load_id(now, current.newest_load)
        results = retention.enforce_retention(session, declaration, current, load_id, now, engine.held(session))
        if results:
            check_tables(engine, session, declaration, totals, None, forced=forced)
    totals.add(load_id, results)
