"""``/livez`` and ``/readyz``: whether the process answers, and whether it can do its work."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import QueuePool

from leat.pipelines.load.error_message import text_of
from leat.runs.health import published_at, store_answers, unsealed_seconds
from leat.runs.monitoring import how_far_behind
from leat.runs.workspace import Workspace
from leat.serve.metrics import Gauge
from leat.serve.unavailable import AWAY
from leat.warehouse.session import Unreachable, WarehouseError

log = logging.getLogger("leat.serve")

FREE = 200 * 2**20
"""So many bytes must be free for webhooks and logs."""
_FRESH = 2.0  # seconds for which an answer is given again, so that probes cost nothing
_FRESH_FAILURE = 0.2  # the same for a failure, because a proxy waits for its end


@dataclass(slots=True)
class Health:
    """Looks after the project for a process.

    Attributes:
        workspace: the project.
        more: more checks by name; each returns what is wrong, or None.
        current: returns the project as it is declared now.
        began: when this process began.
        draining: whether the process is about to end, and nothing new is to come.
        answered: when the databases last answered, in seconds of a monotonic clock.
        saturation: how busy the process is, by name of the metric: its meaning, and what measures it.
    """

    workspace: Workspace
    more: Mapping[str, Callable[[], str | None]] = field(default_factory=dict)
    current: Callable[[], Workspace] = field(init=False)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    saturation: dict[str, tuple[str, Callable[[], float]]] = field(default_factory=dict)
    draining: bool = False
    answered: float = -math.inf
    _seen: tuple[float, bool, dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        self.current = lambda: self.workspace

    def check(self) -> tuple[bool, dict[str, Any]]:
        """Return whether everything is as it has to be, and the result of each check; it may block for a moment."""
        if self.draining:
            return False, {"draining": {"ok": False, "detail": "the server is about to end"}}
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] > (_FRESH if self._seen[1] else _FRESH_FAILURE):
            before, self._seen = self._seen, (now, *self._look())
            _note(before is None or before[1], *self._seen[1:])
        return self._seen[1:]

    def last(self) -> tuple[bool, dict[str, Any]] | None:
        """Return what :meth:`check` would, without waiting: as of the last look; None if that is too long ago.

        A proxy takes a server that answers late for one that is frozen, and all of them would be when the databases or
        the machines are busy.
        """
        if self.draining:
            return self.check()
        seen = self._seen
        return None if seen is None or time.monotonic() - seen[0] > AWAY else seen[1:]

    async def watch(self) -> None:
        """Look again and again, in a thread that no request takes, until it is cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.check)
            except Exception as error:  # then /readyz looks itself, and answers 500
                log.warning("/readyz: %s", text_of(error))
            await asyncio.sleep(_FRESH_FAILURE)

    def gauges(self) -> dict[str, Gauge]:
        """Return what Prometheus is to have of it."""
        ready, checks = self.check()
        values: dict[str, Gauge] = {
            "leat_ready": ("Whether /readyz is right.", float(ready)),
            "leat_disk_free_bytes": ("Free space on the disk of the state folder.", float(_free(self.workspace))),
        }
        if not self.draining and checks["control_store"]["detail"] is None:
            unsealed = unsealed_seconds(self.workspace)
            values["leat_audit_unsealed_seconds"] = (
                "Age of the oldest event that the audit log hasn't sealed.",
                unsealed,
            )
            values |= self._behind()
        values |= self._writers()
        values |= {name: (meaning, look()) for name, (meaning, look) in self.saturation.items()}
        age = checks.get("published", {}).get("age_seconds")
        return values | ({"leat_published_age_seconds": ("Age of what readers see.", float(age))} if age else {})

    def _behind(self) -> dict[str, Gauge]:
        behind = how_far_behind(self.current(), self.began, datetime.now(UTC))
        pool = self.workspace.store.pool
        busy = float(pool.checkedout()) if isinstance(pool, QueuePool) else 0.0
        return {
            "leat_oldest_due_run_seconds": (
                "Age of the oldest run that is due and hasn't begun.",
                max(behind.due.values(), default=0.0),
            ),
            "leat_queue_length": (
                "How much waits: runs, actions, webhooks to send, alerts.",
                "queue",
                {name: float(count) for name, count in behind.queues.items()},
            ),
            "leat_integration_lag_seconds": (
                "Seconds since the schedule asked for a load that hasn't ended well.",
                "integration",
                behind.lag,
            ),
            "leat_control_connections_busy": ("Connections to the control store in use by this process.", busy),
        }

    def _writers(self) -> dict[str, Gauge]:
        try:
            waiting = self.workspace.warehouse.waiting_writers()
        except WarehouseError:  # without this metric, the others still arrive
            waiting = None
        if waiting is None:
            return {}
        return {"leat_warehouse_writers_waiting": ("Transactions that wait for others to end.", float(waiting))}

    def _look(self) -> tuple[bool, dict[str, Any]]:
        wrong = {"control_store": store_answers(self.workspace), "disk": self._disk()}
        wrong |= {name: look() for name, look in self.more.items()}
        checks: dict[str, Any] = {name: {"ok": why is None, "detail": why} for name, why in wrong.items()}
        try:
            at = published_at(self.workspace)
        except Unreachable:
            checks["published"] = {"ok": False, "detail": "the warehouse doesn't answer"}
        else:
            age = None if at is None else round(time.time() - at.timestamp())
            checks["published"] = {"ok": True, "age_seconds": age}
        self._forgive([checks["control_store"], checks["published"]])
        return all(check["ok"] for check in checks.values()), checks

    def _forgive(self, databases: list[dict[str, Any]]) -> None:
        """Be ready for a while although a database doesn't answer: this process answers what it can from memory."""
        if all(check["ok"] for check in databases):
            self.answered = time.monotonic()
        elif time.monotonic() - self.answered < AWAY:
            for check in databases:
                check["ok"] = True

    def _disk(self) -> str | None:
        free = _free(self.workspace)
        return None if free >= FREE else f"{free // 2**20} MB are free in the state folder, of {FREE // 2**20} needed"


def _note(before: bool, ready: bool, checks: Mapping[str, Any]) -> None:
    """Write to the log when it begins or ends to be ready."""
    if before and not ready:
        why = [f"{name}: {check['detail']}" for name, check in checks.items() if not check["ok"]]
        log.warning("not ready: %s", "; ".join(why))
    elif ready and not before:
        log.info("ready")


def _free(workspace: Workspace) -> int:
    status = os.statvfs(workspace.project.state)
    return status.f_bavail * status.f_frsize
