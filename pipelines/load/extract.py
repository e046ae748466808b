"""Extract one load and land it; a source that has nothing new costs neither a landing nor a load."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from leat.files import make_private
from leat.pipelines.load import state
from leat.pipelines.load.column_key import cipher_of, people_of
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.encrypting import compared
from leat.pipelines.load.engine import Engine
from leat.pipelines.load.forgetting import Forgetting, forgetting_of
from leat.pipelines.load.landing import Landed, land, landing_folder, next_load_id
from leat.pipelines.load.mask_key import read_mask_key
from leat.pipelines.load.plan import SYNC, LoadPlan
from leat.sources.batch import to_json
from leat.sources.driver import Conceal, Sync, load_driver
from leat.sources.events import Cursor, Event, Listed
from leat.sources.http.calls import ApiCall
from leat.sources.tombstones import Tombstones


def extract(engine: Engine, plan: LoadPlan) -> Landed | None:
    """Extract and land what a plan says; returns None when there is nothing to apply.

    A cursor that has moved although nothing is new is written at once.

    Raises:
        IntegrationError: as the driver raised it.
        OSError: the landing can't be written.
    """
    declaration, now = plan.declaration, datetime.now(UTC)
    sync = _sync(engine, plan, now)
    if plan.since:  # what drivers remember belongs to the cursor, which this load doesn't move
        shutil.rmtree(sync.folder, ignore_errors=True)
    make_private(sync.folder)
    extraction = load_driver(declaration.source, declaration.driver).extract(declaration.connection, sync)
    with closing(extraction):
        events, cursor = _until_news(extraction) if plan.kind == SYNC else (extraction, None)
        if events is None:
            if cursor is not None:
                _move_cursor(engine, plan, cursor)
            return None
        load_id = next_load_id(now, plan.start.newest_load)
        landed = Landed(load_id, landing_folder(engine.project.state, declaration.name, dry=plan.dry) / load_id)
        try:
            landed.write_plan(plan.as_json())
            excluding = frozenset(name for name in plan.streams if declaration.options(name).exclude)
            wanted = {name: plan.tables[name] for name in plan.streams}
            mask_key = cache(partial(read_mask_key, engine.project))
            erased, cipher = _erased(engine, plan), cipher_of(engine, plan)
            conversion = Conversion(wanted, mask_key, excluding, erased, cipher, people_of(engine, plan))
            land(landed, declaration.name, events, conversion, lambda phase: engine.observe(declaration.name, phase))
        except BaseException:
            landed.remove()
            raise
    return landed


def _without_erased(call: ApiCall, tombstones: Tombstones) -> ApiCall:
    """Return a request as it may be recorded: a path may name somebody who was erased."""
    return replace(call, path=tombstones.text(call.path)) if tombstones else call


def _erased(engine: Engine, plan: LoadPlan) -> dict[str, Forgetting]:
    """Return what erasing does to the rows of each stream; nothing when nobody is erased."""
    tombstones = engine.tombstones()
    if not tombstones:
        return {}
    return {stream.name: forgetting_of(tombstones, plan.declaration, stream) for stream in plan.extracted}


def _sync(engine: Engine, plan: LoadPlan, now: datetime) -> Sync:
    """Return what the driver is given."""
    declaration, project = plan.declaration, engine.project
    name, tombstones = declaration.name, engine.tombstones()
    return Sync(
        integration=name,
        streams=plan.streams,
        cursor=plan.cursor,
        project=project.folder,
        folder=project.state / "sources" / (f"{name}.from" if plan.since else name),
        now=now,
        progress=lambda what, count: engine.progress(name, what, count),
        called=lambda call: engine.called(name, _without_erased(call, tombstones)),
        masked={stream.name: declaration.hidden(stream) for stream in declaration.every_stream()},
        mask=Conversion({}, cache(partial(read_mask_key, project))).mask,
        conceal=_concealing(engine, plan),
        since=plan.since,
    )


def _concealing(engine: Engine, plan: LoadPlan) -> Conceal:
    """Return what gives a driver a value of a hidden column as the warehouse has it."""
    cipher = cache(lambda: cipher_of(engine, plan))  # most drivers need none

    def conceal(stream: str, column: str, value: Any) -> str:
        how = plan.tables[stream].encrypted.get(column) if stream in plan.tables else None
        if how is None:
            return Conversion({}, partial(read_mask_key, engine.project)).mask(str(value))
        return compared(plan.declaration.name, stream, column, how, value, cipher())

    return conceal


def _until_news(extraction: Iterator[Event]) -> tuple[Iterator[Event] | None, Any]:
    """Read to the first event that brings something; returns all events again, or None and the last cursor."""
    before: list[Event] = []
    for event in extraction:
        if not isinstance(event, Cursor | Listed):
            return itertools.chain(before, [event], extraction), None
        before.append(event)
    cursors = [event for event in before if isinstance(event, Cursor)]
    return None, json.loads(to_json(cursors[-1].value)) if cursors else None


def _move_cursor(engine: Engine, plan: LoadPlan, cursor: Any) -> None:
    """Write a cursor that came without anything else."""
    start = plan.start
    if cursor == start.cursor or plan.cursor_stays or plan.dry:
        return
    with engine.writing(plan.declaration.name) as session:
        state.create_tables(session)
        covered = start.covered & plan.streams
        state.write_cursor(session, plan.declaration.name, start.cursor_load, cursor, covered)
