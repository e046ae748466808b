"""Keeps the control store up to date with what the engine does: a run begins, a run ends, and what happened in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy

from pipelines.declaration import Declaration
from pipelines.results import IntegrationResult
from warehouse import control
from warehouse.control import Counts, Declared, Trigger


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the runs of one process to the control store; safe to be used from several threads.

    Attributes:
        store: the control store.
        trigger: who started the runs.
    """

    store: sqlalchemy.Engine
    trigger: Trigger
    _running: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_phase(self, integration: str, phase: str) -> None:
        """Record that a run has begun; for :attr:`pipelines.engine.Engine.observe`."""
        if phase == "started":
            run = control.start_run(self.store, integration, self.trigger, holds_lock=True)
            with self._lock:
                self._running[integration] = run

    def on_result(self, result: IntegrationResult) -> None:
        """Record how a run ended, and in the log what is worth keeping of it."""
        with self._lock:
            run = self._running.pop(result.integration, None)
        if run is None:  # another process had the lock
            run = control.start_run(self.store, result.integration, self.trigger, holds_lock=False)
        counts = Counts(
            inserted=sum(s.inserted for s in result.streams),
            updated=sum(s.updated for s in result.streams),
            deleted=sum(s.deleted for s in result.streams),
            quarantined=sum(s.quarantined for s in result.streams),
        )
        error = (result.error_type or "Error", result.error) if result.error else None
        control.end_run(self.store, run, result.status, counts, result.load_id, error)
        if result.status != "nothing_new":
            control.log_events(self.store, result.integration, [(f"run_{result.status}", _event(result))])


def register(store: sqlalchemy.Engine, declarations: Mapping[str, Declaration]) -> None:
    """Make the control store know the declared systems and integrations."""
    from sources.driver import describe_source

    declared = {
        name: Declared(
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
