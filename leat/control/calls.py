"""The API calls of runs in the control store; callers import these names from :mod:`leat.control.store`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from leat.control.engine import storable, writing
from leat.control.tables import ApiCall, Run
from leat.warehouse.session import WarehouseError

RETENTION = timedelta(days=30)
"""How long calls stay in the store; the warehouse still has those that it has loaded."""

_REMOVED_AT_ONCE = 5000  # rows; more than are ever added at once, and too few to hold others up


def record_calls(engine: Engine, run_id: str, calls: Sequence[Mapping[str, Any]]) -> None:
    """Add calls of a run, and remove some of those that are older than :data:`RETENTION`.

    Args:
        engine: the store.
        run_id: what :func:`leat.control.store.start_run` returned.
        calls: the fields of :class:`leat.sources.http.calls.ApiCall` by name, at most a thousand.

    Raises:
        WarehouseError: the store has no such run.
    """
    with writing(engine) as session:
        integration_id = session.scalar(select(Run.integration_id).filter_by(id=run_id))
        if integration_id is None:
            msg = f"the control store has no run {run_id}"
            raise WarehouseError(msg)
        owner = {"integration_id": integration_id, "run_id": run_id}
        session.execute(insert(ApiCall), [{**_storable(call), **owner} for call in calls])
        old = select(ApiCall.id).where(ApiCall.called_at < datetime.now(UTC) - RETENTION).limit(_REMOVED_AT_ONCE)
        session.execute(delete(ApiCall).where(ApiCall.id.in_(old)).execution_options(synchronize_session=False))


def _storable(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: storable(value) if isinstance(value, str) else value for name, value in call.items()}
