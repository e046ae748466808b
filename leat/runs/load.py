"""The first part of a run: load integrations, record their runs, and show what is being done.

All are loaded side by side; one that fails leaves the others alone. A step of Dagster loads one by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.engine import Audit, Engine, Request
from leat.pipelines.load.held_rows import Held
from leat.pipelines.load.results import CheckResult, IntegrationResult
from leat.pipelines.load.run import run_integration, run_integrations
from leat.pipelines.load.writing import writing
from leat.runs.publish import Force
from leat.runs.recorder import Recorder, register
from leat.runs.workspace import Workspace
from leat.sources.tombstones import Tombstones
from leat.warehouse.session import Session

if TYPE_CHECKING:
    from leat.control.store import Trigger


@dataclass(frozen=True, slots=True)
class Observer:
    """What is called while a run goes on, from the threads of its integrations.

    Attributes:
        phase: called with an integration and the phase that begins; see :class:`leat.pipelines.load.engine.Engine`.
        progress: called with an integration, what is being read, and how many records since the last call.
        result: called with what became of an integration.
        refreshing: called when all are loaded, and models and rules follow.
    """

    phase: Callable[[str, str], None] = field(default=lambda _integration, _phase: None)
    progress: Callable[[str, str, int], None] = field(default=lambda _integration, _what, _count: None)
    result: Callable[[IntegrationResult], None] = field(default=lambda _result: None)
    refreshing: Callable[[], None] = field(default=lambda: None)


SILENT = Observer()


def load(
    workspace: Workspace,
    names: Sequence[str],
    request: Request,
    observer: Observer = SILENT,
    *,
    force: Force | None = None,
    trigger: Trigger = "cli",
) -> list[IntegrationResult]:
    """Load integrations side by side and record their runs; a transient error is tried three times."""
    recorder = _recorder(workspace, trigger, request)
    engine = engine_of(workspace, recorder, observer, force)

    def on_result(result: IntegrationResult) -> None:
        if request.wanted is None or result.status != "busy":  # else another server runs it, and records that
            recorder.on_result(result)
        observer.result(result)

    return run_integrations(engine, names, request, on_result)


def load_step(
    workspace: Workspace, name: str, request: Request, observer: Observer = SILENT, *, dagster_run: str | None = None
) -> IntegrationResult:
    """Load one integration for a step of Dagster: in the caller's thread, so that an interrupt ends it.

    A transient error is tried once: Dagster tries again, and shows that it does. ``dagster_run`` is the id of its run.
    """
    recorder = replace(_recorder(workspace, "dagster", request), dagster_run=dagster_run)
    engine = replace(engine_of(workspace, recorder, observer), attempts=1)
    result = run_integration(engine, name, request)
    recorder.on_result(result)
    return result


def check(workspace: Workspace, name: str) -> tuple[CheckResult, ...]:
    """Check the tables of an integration as they are, and record the outcome."""
    with writing(workspace.warehouse, name) as session:
        return auditor(workspace)(session, workspace.declarations[name])


def engine_of(
    workspace: Workspace, recorder: Recorder | None, observer: Observer, force: Force | None = None
) -> Engine:
    """Return what loads the integrations of a project; nothing is recorded without a recorder."""

    def on_phase(integration: str, phase: str) -> None:
        if recorder is not None:
            recorder.on_phase(integration, phase)
        observer.phase(integration, phase)

    engine = Engine(
        workspace.project,
        workspace.warehouse,
        workspace.declarations,
        audit=auditor(workspace, force),
        observe=on_phase,
        progress=observer.progress,
        tombstones=lambda: _tombstones(workspace),
        held=lambda session: _held(workspace, session),
        column_keys=lambda: workspace.column_keys,
    )
    return engine if recorder is None else replace(engine, called=recorder.on_call)


def _tombstones(workspace: Workspace) -> Tombstones:
    """Return who is erased, as of now; if it is nobody, what maps the tables of erased people isn't imported."""
    from leat.control.store import has_rows

    if not has_rows(workspace.store, "subject_tombstone"):
        return Tombstones(b"")
    from leat.control.subjects import read_tombstones

    return read_tombstones(workspace.store)


def _held(workspace: Workspace, session: Session) -> Held:
    """Return whose data is on hold, as of now."""
    from leat.control.holds import read_holds
    from leat.pipelines.load.cells import Reader
    from leat.pipelines.load.mask_key import read_mask_key
    from leat.pipelines.load.sealed_texts import SealedTexts
    from leat.runs.subjects.declared_holds import follow_declared

    follow_declared(workspace, datetime.now(UTC), session)
    identities = frozenset(each for hold in read_holds(workspace.store) for each in hold.identities)
    texts = SealedTexts(Reader(workspace.column_keys)) if workspace.encrypts else None
    return Held(identities, Conversion({}, cache(partial(read_mask_key, workspace.project))).mask, texts)


def auditor(workspace: Workspace, force: Force | None = None) -> Audit:
    """Return what checks the tables of an integration; ``force`` takes failed checks, which then count for nothing."""

    def run_checks(session: Session, declaration: Declaration) -> tuple[CheckResult, ...]:
        from leat.quality.audit import audit

        checks = audit(session, declaration, workspace.declarations)
        if force is not None and any(check.blocks for check in checks):
            force(checks)
        return checks

    return run_checks


def _recorder(workspace: Workspace, trigger: Trigger, request: Request) -> Recorder:
    register(workspace.store, workspace.declarations)
    return Recorder(workspace.store, trigger, frozenset(request.only))
