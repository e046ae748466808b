"""Records in the control store what the engine does: a run begins, a run ends, and what happened in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from leat.control.actor import Actor, current_actor
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.error_message import log_error
from leat.pipelines.load.results import IntegrationResult
from leat.sources.http.calls import ApiCall
from leat.sources.settings import redact

if TYPE_CHECKING:  # SQLAlchemy takes long to import, and most commands record nothing
    import sqlalchemy

    from leat.control.store import Trigger

log = logging.getLogger("leat.record")

_CALLS_AT_ONCE = 1000
_FIELDS = tuple(each.name for each in fields(ApiCall))


@dataclass(slots=True)
class _Running:
    """A run, and its API calls that haven't been written yet."""

    run: str
    calls: list[ApiCall] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the runs of one process to the control store; safe to be used from several threads.

    Attributes:
        store: the control store.
        trigger: who started the runs.
        parts: integrations that run with single streams only. Such a run says nothing about the others, which would
            count as fresh, so that it is no run of the integration: only the log has it.
        by: who started them.
        dagster_run: id of the run of Dagster that they are steps of.
    """

    store: sqlalchemy.Engine
    trigger: Trigger
    parts: frozenset[str] = frozenset()
    by: Actor = field(default_factory=current_actor)
    dagster_run: str | None = None
    _running: dict[str, _Running] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_phase(self, integration: str, phase: str) -> None:
        """Record that a run has begun; for :attr:`leat.pipelines.load.engine.Engine.observe`."""
        if phase == "started" and integration not in self.parts:
            run = self._start(integration, holds_lock=True)
            with self._lock:
                self._running[integration] = _Running(run)

    def _start(self, integration: str, *, holds_lock: bool) -> str:
        from leat.control import store as control

        return control.start_run(
            self.store, integration, self.trigger, holds_lock=holds_lock, dagster_run=self.dagster_run
        )

    def on_call(self, integration: str, call: ApiCall) -> None:
        """Record an API call of a run; for :attr:`leat.pipelines.load.engine.Engine.called`.

        Calls are written when there are a thousand, or when the run ends. What can't be written is logged and lost: a
        run doesn't fail for it.
        """
        with self._lock:
            running = self._running.get(integration)
        if running is None:  # a request that outlived its run
            return
        with running.lock:  # also while they are written, so that they don't pile up
            running.calls.append(call)
            if len(running.calls) >= _CALLS_AT_ONCE:
                self._write_calls(running)

    def _write_calls(self, running: _Running) -> None:
        calls, running.calls = running.calls, []
        if not calls:
            return
        from leat.control import store as control

        try:
            control.record_calls(self.store, running.run, [_fields(call) for call in calls])
        except Exception as error:
            log_error(log, error, "%d API calls of run %s were not recorded", len(calls), running.run)

    def on_result(self, result: IntegrationResult) -> None:
        """Record how a run ended, and in the log what is worth remembering."""
        from leat.control import store as control

        if result.integration in self.parts:
            self._on_part(result)
            return
        with self._lock:
            running = self._running.pop(result.integration, None)
        if running is None:  # another process had the lock
            running = _Running(self._start(result.integration, holds_lock=False))
        with running.lock:
            self._write_calls(running)  # first: once a run has ended, its calls are read
        counts = control.Counts(
            inserted=sum(s.inserted for s in result.streams),
            updated=sum(s.updated for s in result.streams),
            deleted=sum(s.deleted for s in result.streams),
            quarantined=sum(s.quarantined for s in result.streams),
        )
        error = (result.error_type or "Error", result.error) if result.error else None
        control.end_run(self.store, running.run, result.status, counts, result.load_id, error, self.by)
        if result.status != "nothing_new":
            control.log_events(self.store, result.integration, [(f"run_{result.status}", _event(result))])

    def _on_part(self, result: IntegrationResult) -> None:
        from leat.control import store as control

        streams = sorted(stream.stream for stream in result.streams)
        event = {"status": result.status, "streams": streams, **_event(result)}
        control.log_events(self.store, result.integration, [("run_part", event)])


def _fields(call: ApiCall) -> dict[str, Any]:
    values = {name: getattr(call, name) for name in _FIELDS}
    return {**values, "host": redact(call.host), "path": redact(call.path)}


def register(store: sqlalchemy.Engine, declarations: Mapping[str, Declaration]) -> None:
    """Write the declared systems and integrations to the control store."""
    from leat.control import store as control
    from leat.sources.driver import describe_source

    declared = {
        name: control.Declared(
            system=declaration.source,
            system_description=describe_source(declaration.source),
            driver=declaration.driver,
            description=declaration.description,
            enabled=declaration.enabled,
        )
        for name, declaration in declarations.items()
    }
    control.register(store, declared)


def _event(result: IntegrationResult) -> dict[str, Any]:
    event: dict[str, Any] = {"seconds": result.seconds}
    if result.load_id:
        event["load_id"] = result.load_id
    if result.error:
        event |= {"error_type": result.error_type, "error": result.error}
    streams = {s.stream: [s.inserted, s.updated, s.deleted, s.quarantined] for s in result.streams if s.changed}
    failed = [f"{check.subject}: {check.check}" for check in result.checks if not check.ok]
    return event | ({"rows": streams} if streams else {}) | ({"failed_checks": failed} if failed else {})
