"""Run integrations: apply what was landed before, extract, land, apply, check; whatever is killed when, once only.

One integration at a time is run by one process (a lock), many integrations run side by side, and the warehouse is
locked only while a load is applied. A landed load that could not be applied is thrown away, for the cursor has not
moved and the next extraction brings the same again. A stream that fails is left out of its load, and the others are
applied; unless its driver has left its part of the cursor where it was, the next run reads it from the start.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.files import make_private
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.load import apply as applying
from leat.pipelines.load import retention, state
from leat.pipelines.load.apply import BACKFILL, RESET, SYNC, Plan
from leat.pipelines.load.landing import Landed, land, landed_loads, next_load_id
from leat.pipelines.load.mask_key import read_mask_key
from leat.pipelines.load.results import CheckResult, IntegrationResult, Status, StreamResult
from leat.pipelines.load.shaping import Shaping
from leat.pipelines.load.stream_failures import CHECK, Failure, StreamFailed, summary
from leat.pipelines.load.table_schema import TableSchema, declared_schema, needs_backfill
from leat.sources.batch import to_json
from leat.sources.driver import Sync, load_driver
from leat.sources.errors import IntegrationError, Transient
from leat.sources.events import Cursor, Event, Listed
from leat.sources.http.calls import ApiCall
from leat.sources.settings import redact
from leat.warehouse.session import Busy, OutOfMemory, Session, Warehouse, WarehouseError

log = logging.getLogger("leat.engine")

Audit = Callable[[Session, Declaration], tuple[CheckResult, ...]]
"""Checks an integration's tables inside the transaction that changed them."""

_LONGEST_WAIT = 60.0
_PARALLEL = 8
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
_LAST = "platform"  # reads what the other integrations' runs have left in the control store


class Blocked(Exception):
    """Checks of severity error failed, of tables that no single stream of the load can be blamed for."""

    def __init__(self, checks: tuple[CheckResult, ...]) -> None:
        super().__init__(_named(checks))
        self.checks = checks


class _ChecksFailed(Exception):
    """Checks of streams of the load failed; it has to be applied again without them."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        super().__init__(", ".join(failures))
        self.failures = failures


class _TakenBack(Exception):
    """A dry run has applied its load, and the transaction is rolled back."""

    def __init__(self, results: Sequence[StreamResult], standing: Mapping[str, Failure]) -> None:
        super().__init__("dry run")
        self.results = results
        self.standing = standing


def _named(checks: Sequence[CheckResult]) -> str:
    return ", ".join(f"{c.subject}: {c.check}" for c in checks if c.blocks)


@dataclass(frozen=True, slots=True)
class Engine:
    """What every run needs.

    Attributes:
        project: the project.
        warehouse: where the tables are.
        declarations: the declared integrations by name.
        audit: checks the tables of an integration before its load is committed.
        observe: called with an integration and the phase that begins: ``started``, ``extracting``, ``extracted``,
            ``normalized``, ``landed``, ``applying``, ``checking``, ``committing``, ``applied``, ``purging``.
        progress: called with an integration, what is being read, and how many records since the last call.
        called: called with an integration and each HTTP request that it sent, from whichever thread sent it.
        attempts: how often a transient error is tried.
    """

    project: Project
    warehouse: Warehouse
    declarations: Mapping[str, Declaration]
    audit: Audit = field(default=lambda _session, _declaration: ())
    observe: Callable[[str, str], None] = field(default=lambda _integration, _phase: None)
    progress: Callable[[str, str, int], None] = field(default=lambda _integration, _what, _count: None)
    called: Callable[[str, ApiCall], None] = field(default=lambda _integration, _call: None)
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a run.

    Attributes:
        allow_deletes: whether full scans may delete any share of a table.
        reset: streams to load anew from the start; None for an ordinary run.
        forced: whether a load is applied although checks of severity error fail; they are reported.
        only: by integration, the streams that are wanted; all where it isn't named. The cursor then stays.
        since: for a backfill, from when on to read; nothing is deleted and the cursor stays.
        dry: whether everything is taken back at the end.
    """

    allow_deletes: bool = False
    reset: frozenset[str] | None = None
    forced: bool = False
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: datetime | None = None
    dry: bool = False


@dataclass(slots=True)
class _Tally:
    """What the loads of one run have done so far."""

    load_id: str | None = None
    streams: dict[str, StreamResult] = field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()
    failures: dict[str, Failure] = field(default_factory=dict)
    retention_due: bool = False
    forced: bool = False
    dry: bool = False

    def fail(self, failures: Mapping[str, Failure]) -> None:
        """Take note of streams that failed."""
        for stream, failure in failures.items():
            self.failures[stream] = failure
            old = self.streams.get(stream, StreamResult(stream, 0, 0, 0, 0, 0, 0))
            self.streams[stream] = replace(old, error=failure.message)

    def is_blocked(self) -> bool:
        """Return whether checks have kept everything from being applied."""
        changed = any(result.changed for result in self.streams.values())
        return not changed and all(failure.kind == CHECK for failure in self.failures.values())

    def add(self, load_id: str, results: Sequence[StreamResult]) -> None:
        for new in results:
            old = self.streams.get(new.stream)
            self.streams[new.stream] = new if old is None else replace(
                new,
                inserted=old.inserted + new.inserted,
                updated=old.updated + new.updated,
                deleted=old.deleted + new.deleted,
                quarantined=old.quarantined + new.quarantined,
                drifted=old.drifted + new.drifted,
                purged=old.purged + new.purged,
            )  # fmt: skip
        if results:
            self.load_id = load_id


def run_integrations(
    engine: Engine, names: Sequence[str], request: Request, on_result: Callable[[IntegrationResult], None]
) -> list[IntegrationResult]:
    """Run integrations side by side; the one that reads the control store runs last.

    Args:
        engine: what every run needs.
        names: names of declarations.
        request: what is asked.
        on_result: called with each result as it comes, from the integration's own thread.

    Returns:
        The results in the order of ``names``.
    """

    def run(name: str) -> IntegrationResult:
        result = run_integration(engine, name, request)
        on_result(result)
        return result

    if len(names) > 1:
        # Most integrations need it, and threads that import it at the same time may see it half-imported.
        import requests  # noqa: F401
    results: dict[str, IntegrationResult] = {}
    for last in (False, True):
        wave = [name for name in names if (engine.declarations[name].source == _LAST) is last]
        threads = ThreadPoolExecutor(_PARALLEL)
        try:
            results |= dict(zip(wave, threads.map(run, wave), strict=True))
        finally:  # an interrupt doesn't wait for a system that may never answer
            threads.shutdown(wait=False, cancel_futures=True)
    return [results[name] for name in names]


def run_integration(engine: Engine, name: str, request: Request) -> IntegrationResult:
    """Run one integration; what goes wrong is told in the result, never raised."""
    started = time.monotonic()
    tally = _Tally(forced=request.forced, dry=request.dry)
    status: Status = "failed"
    error: BaseException | None = None
    try:
        with engine.warehouse.exclusive(name):
            engine.observe(name, "started")
            _try(engine, engine.declarations[name], request, tally)
        if not tally.failures:
            status = "loaded" if any(r.changed or r.quarantined for r in tally.streams.values()) else "nothing_new"
        elif tally.is_blocked():
            status = "blocked"
    except Busy as busy:
        status, error = "busy", busy
    except Blocked as blocked:
        status, error, tally.checks = "blocked", blocked, blocked.checks
    except Exception as failure:
        error = failure
        log.exception("%s failed", name)
    message, kind, transient = _told(name, error, tally)
    return IntegrationResult(
        integration=name,
        status=status,
        load_id=tally.load_id,
        streams=tuple(tally.streams.values()),
        checks=tally.checks,
        seconds=round(time.monotonic() - started, 3),
        error=message,
        error_type=kind,
        transient=transient,
        retry_after=getattr(error, "retry_after", None),
    )


def _told(name: str, error: BaseException | None, tally: _Tally) -> tuple[str | None, str | None, bool]:
    """Return message and class of what went wrong, and whether trying again may help."""
    if error is not None:
        return redact(_message(name, error)), type(error).__name__, isinstance(error, Transient | Busy)
    if not tally.failures:
        return None, None, False
    failures = list(tally.failures.values())
    kinds = {failure.kind for failure in failures}
    kind = "Blocked" if tally.is_blocked() else kinds.pop() if len(kinds) == 1 else "StreamsFailed"
    message = f"{name}: {summary(tally.failures, len(tally.streams) - len(failures))}"
    return message, kind, all(failure.transient for failure in failures)


def _message(name: str, error: BaseException) -> str:
    if isinstance(error, IntegrationError | WarehouseError | Busy):
        return str(error)
    if isinstance(error, Blocked):
        return f"{name}: {error} failed; the load was not applied and readers keep the old rows"
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return f"{name}: {error}. Next: free disk space or mend the permissions, then run it again; nothing is lost"
    return f"{name}: {type(error).__name__}: {error}. Next: the log has the whole story; nothing is half-applied"


def _try(engine: Engine, declaration: Declaration, request: Request, tally: _Tally) -> None:
    """Run until it works, as long as errors are transient and attempts are left."""
    for attempt in itertools.count(1):
        try:
            tally.failures.clear()
            _run(engine, declaration, request, tally)
        except Transient as error:
            asked = getattr(error, "retry_after", None)
            if attempt >= engine.attempts or (asked or 0) > _LONGEST_WAIT:  # the schedule comes back later
                raise
            wait = asked if asked is not None else 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
            log.warning(
                "%s: attempt %d failed, next in %.1f s: %s", declaration.name, attempt, wait, redact(str(error))
            )
            time.sleep(wait)
        else:
            return


def _run(engine: Engine, declaration: Declaration, request: Request, tally: _Tally) -> None:
    shapes = {stream.name: declared_schema(declaration, stream) for stream in declaration.selected()}
    chosen = request.only.get(declaration.name, frozenset(shapes))
    for landed in landed_loads(_landing(engine, declaration, tally)):
        if tally.dry:  # of one that was killed
            landed.remove()
        else:
            _apply_pending(engine, declaration, landed, shapes, tally)
    known, after = _known(engine, declaration, tally, chosen)
    for number, plan in enumerate(_plans(known, shapes, request, chosen)):
        if not plan.rebuild and not tally.dry:
            _prepare(engine, declaration, known, shapes, tally)
        if number:  # the load before has moved it
            known, after = _known(engine, declaration, tally, chosen)
        streams = plan.streams - tally.failures.keys()
        if plan.kind == SYNC:  # what couldn't be read from the start doesn't go on from the cursor
            streams &= known.covered
        if streams:
            _extract(engine, declaration, (replace(plan, streams=streams), known, after), shapes, tally)
    if tally.dry:
        with contextlib.suppress(OSError):
            _landing(engine, declaration, tally).rmdir()
    if tally.retention_due and not tally.dry:
        _enforce_retention(engine, declaration, tally)


def _prepare(
    engine: Engine, declaration: Declaration, known: state.State, shapes: Mapping[str, TableSchema], tally: _Tally
) -> None:
    """Bring the tables whose declared shape has changed into it."""
    for stream in declaration.selected():
        stored = known.shapes.get(stream.name)
        if stored is None or stored == shapes[stream.name].as_json() or stream.name in tally.failures:
            continue
        try:
            with engine.warehouse.transaction() as session:
                applying.prepare_table(session, declaration, stream, datetime.now(UTC))
        except StreamFailed as failed:
            tally.fail({stream.name: _failure(declaration.name, failed.error)})


def _known(
    engine: Engine, declaration: Declaration, tally: _Tally, chosen: frozenset[str]
) -> tuple[state.State, dict[str, Any]]:
    """Return the state of an integration, and the position that a load goes on from."""
    with engine.warehouse.snapshot() as session:
        known = state.read_state(session, declaration.name)
        totals = state.read_totals(session, declaration.name)
        after = _position(session, declaration)
        tally.retention_due = retention.is_due(session, declaration, datetime.now(UTC))
    for stream in declaration.selected():
        if stream.name not in tally.streams and stream.name in chosen:
            tally.streams[stream.name] = StreamResult(stream.name, 0, 0, 0, 0, 0, totals.get(stream.name, 0))
    return known, after


def _plans(
    known: state.State, shapes: Mapping[str, TableSchema], request: Request, chosen: frozenset[str]
) -> list[Plan]:
    """Return the extractions that a run needs, in order.

    The cursor of some streams can't move without that of the others, so that a run of some leaves it: the next run
    reads what they have brought once more.
    """
    every = frozenset(shapes)
    part = chosen != every
    if request.since is not None:
        return [Plan(BACKFILL, chosen, keep_cursor=True, since=request.since.isoformat())]
    if request.reset is not None:
        return [Plan(RESET, request.reset, keep_cursor=request.reset != every, rebuild=True, any_share=True)]
    if known.cursor is None:
        return [Plan(RESET, chosen, keep_cursor=part, any_share=request.allow_deletes)]
    old = {name: TableSchema.of_json(shape) for name, shape in known.shapes.items()}
    missing = frozenset(
        name for name, shape in shapes.items() if needs_backfill(old.get(name), shape) or name not in known.covered
    )
    missing &= chosen
    backfill = [Plan(RESET, missing, keep_cursor=True, any_share=request.allow_deletes)] if missing else []
    return [*backfill, Plan(SYNC, chosen, keep_cursor=part, any_share=request.allow_deletes)]


def _extract(
    engine: Engine,
    declaration: Declaration,
    task: tuple[Plan, state.State, dict[str, Any]],
    shapes: Mapping[str, TableSchema],
    tally: _Tally,
) -> None:
    """Extract, land and apply one load; a source that has nothing new costs neither.

    ``task`` is what to extract, and the state and the position that it goes on from.
    """
    plan, known, after = task
    now = datetime.now(UTC)
    sync = Sync(
        integration=declaration.name,
        streams=plan.streams,
        cursor=known.cursor if plan.kind == SYNC else None,
        project=engine.project.folder,
        folder=engine.project.state / "sources" / (f"{declaration.name}.from" if plan.since else declaration.name),
        now=now,
        progress=lambda what, count: engine.progress(declaration.name, what, count),
        called=lambda call: engine.called(declaration.name, call),
        masked={stream.name: declaration.masked(stream) for stream in declaration.every_stream()},
        mask=lambda value: Shaping({}, read_mask_key(engine.project.state)).mask(value),
        since=None if plan.since is None else datetime.fromisoformat(plan.since),
    )
    if plan.since:  # what drivers remember belongs to the cursor, which this load doesn't move
        shutil.rmtree(sync.folder, ignore_errors=True)
    make_private(sync.folder)
    extraction = load_driver(declaration.source, declaration.driver).extract(declaration.connection, sync)
    with closing(extraction):
        events, cursor = _until_news(extraction) if plan.kind == SYNC else (extraction, None)
        if events is None:
            if cursor is not None and cursor != known.cursor and not (plan.keep_cursor or tally.dry):
                with engine.warehouse.transaction() as session:
                    covered = known.covered & plan.streams
                    state.create_tables(session)
                    state.write_cursor(session, declaration.name, known.cursor_load, cursor, covered)
            return
        load_id = next_load_id(now, after["load_id"])
        landed = Landed(load_id, _landing(engine, declaration, tally) / load_id)
        try:
            kept = {s: shapes[s].as_json() for s in plan.streams}
            landed.write_plan({"plan": plan.as_json(), "shapes": kept, "after": after})
            excluding = frozenset(name for name in plan.streams if declaration.options(name).exclude)
            wanted = {name: shapes[name] for name in plan.streams}
            shaping = Shaping(wanted, read_mask_key(engine.project.state), excluding)
            land(landed, declaration.name, events, shaping, lambda phase: engine.observe(declaration.name, phase))
        except BaseException:
            landed.remove()
            raise
    if not _apply(engine, declaration, landed, (plan, after), tally):
        msg = f"integration {declaration.name} was loaded by another process meanwhile; try again"
        raise Busy(msg)


def _position(session: Session, declaration: Declaration) -> dict[str, Any]:
    """Return what a load goes on from; it can be applied as long as that hasn't moved."""
    cursor = state.read_state(session, declaration.name).cursor
    return {"load_id": state.newest_load(session, declaration.name), "cursor": cursor}


def _until_news(extraction: Iterator[Event]) -> tuple[Iterator[Event] | None, Any]:
    """Read to the first event that brings something; returns all events again, or None and the last cursor."""
    before: list[Event] = []
    for event in extraction:
        if not isinstance(event, Cursor | Listed):
            return itertools.chain(before, [event], extraction), None
        before.append(event)
    cursors = [event for event in before if isinstance(event, Cursor)]
    return None, json.loads(to_json(cursors[-1].value)) if cursors else None


def _apply_pending(
    engine: Engine, declaration: Declaration, landed: Landed, shapes: Mapping[str, TableSchema], tally: _Tally
) -> None:
    """Apply a load that an earlier run landed and did not apply.

    One of another shape is extracted again instead, and so is one that was overtaken by a run on another machine.
    """
    plan = landed.read_plan()
    if plan is None or any(name not in shapes or shapes[name].as_json() != s for name, s in plan["shapes"].items()):
        landed.remove()
    else:
        _apply(engine, declaration, landed, (Plan.of_json(plan["plan"]), plan["after"]), tally)


def _apply(engine: Engine, declaration: Declaration, landed: Landed, planned: tuple[Plan, Any], tally: _Tally) -> bool:
    """Apply a load, unless the integration has moved since it was extracted; returns whether it was applied.

    When a stream fails, the transaction is rolled back and run again without it; when its rows are too large for the
    memory that most loads need, with more.
    """
    plan, after = planned
    engine.observe(declaration.name, "applying")
    failed: dict[str, Failure] = {}
    large_rows = False
    try:
        if (plan.rebuild or (tally.retention_due and after["load_id"])) and not tally.dry:
            engine.warehouse.forget()
        while True:
            try:
                applied = _apply_once(engine, declaration, landed, planned, tally, failed, large_rows)
            except OutOfMemory:
                if large_rows:
                    raise
                large_rows = True
            except StreamFailed as one:
                failed[one.stream] = _failure(declaration.name, one.error)
            except _ChecksFailed as some:
                failed |= some.failures
            except _TakenBack as dry:
                applied = dry.results, dry.standing
                break
            else:
                break
        if applied is None:
            return False
        results, standing = applied
        engine.observe(declaration.name, "applied")
        tally.add(landed.load_id, results)
        tally.fail({**landed.failures(plan.streams), **failed, **standing})
    finally:
        landed.remove()
    return True


def _apply_once(
    engine: Engine,
    declaration: Declaration,
    landed: Landed,
    planned: tuple[Plan, Any],
    tally: _Tally,
    failed: Mapping[str, Failure],
    large_rows: bool,
) -> tuple[Sequence[StreamResult], Mapping[str, Failure]] | None:
    """Apply a load in one transaction without the streams that failed.

    Returns:
        The results, and the streams that the load left as they were and whose checks fail; None when the integration
        has moved since the load was extracted.
    """
    plan, after = planned
    standing: Mapping[str, Failure] = {}
    with engine.warehouse.transaction() as session:
        if _position(session, declaration) != after:
            return None
        session.limit_memory(large_rows)
        for stream in declaration.selected() if tally.dry and not plan.rebuild else ():
            if stream.name in plan.streams - failed.keys():
                applying.prepare_table(session, declaration, stream, datetime.now(UTC))
        results = applying.apply_load(session, declaration, landed, plan, datetime.now(UTC), failed)
        if results is not None and not (results and all(result.error for result in results)):
            standing = _check(engine, session, declaration, tally, [r.stream for r in results if r.changed])
        if tally.retention_due and plan.streams.issuperset(s.name for s in declaration.selected()):
            retention.mark_enforced(session, declaration, datetime.now(UTC))
        if tally.dry:
            raise _TakenBack(results or (), standing)
    return results or (), standing


def _failure(name: str, error: Exception) -> Failure:
    return Failure(redact(_message(name, error)), type(error).__name__, isinstance(error, Transient))


def _enforce_retention(engine: Engine, declaration: Declaration, tally: _Tally) -> None:
    """Remove what isn't kept any longer, unless a load has just done so."""
    now = datetime.now(UTC)
    with engine.warehouse.snapshot() as session:
        if not state.exists(session) or not retention.is_due(session, declaration, now):
            return
    engine.observe(declaration.name, "purging")
    engine.warehouse.forget()
    with engine.warehouse.transaction() as session:
        load_id = next_load_id(now, state.newest_load(session, declaration.name))
        results = applying.enforce_retention(session, declaration, load_id, now)
        if results:
            _check(engine, session, declaration, tally, None)
    tally.add(load_id, results)


def _check(
    engine: Engine,
    session: Session,
    declaration: Declaration,
    tally: _Tally,
    changed: Sequence[str] | None,
) -> Mapping[str, Failure]:
    """Check the tables.

    Args:
        engine: has the audit.
        session: the transaction that has changed the tables.
        declaration: whose tables they are.
        tally: takes the results.
        changed: the streams that the transaction has changed, which can be left out; None when none can be.

    Returns:
        The streams that have failed although nothing of them has changed.

    Raises:
        _ChecksFailed: checks of severity error failed for streams that can be left out.
        Blocked: checks failed, and nothing can be left out.
    """
    engine.observe(declaration.name, "checking")
    tally.checks = engine.audit(session, declaration)
    blocking: dict[str, list[CheckResult]] = {}
    for check in tally.checks if not tally.forced else ():
        if check.blocks:
            blocking.setdefault(check.subject.removeprefix(f"{declaration.name}."), []).append(check)
    if blocking and changed is None:
        raise Blocked(tally.checks)
    failures = {
        stream: Failure(f"{_named(checks)} failed; readers keep the old rows", CHECK)
        for stream, checks in blocking.items()
    }
    fresh = {stream: failure for stream, failure in failures.items() if stream in (changed or ())}
    if fresh:
        raise _ChecksFailed(fresh)
    engine.observe(declaration.name, "committing")
    return failures


def _landing(engine: Engine, declaration: Declaration, tally: _Tally) -> Path:
    """Return the folder of an integration's loads; those of a dry run are in one that no other run looks at."""
    return engine.project.state / "landing" / (f"{declaration.name}.dry" if tally.dry else declaration.name)
