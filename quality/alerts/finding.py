"""Finds everything that is wrong, in the warehouse and in the control store, and lists what alerts know to last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Engine

from leat.pipelines.declare.declaration import Declaration
from leat.quality.alerts.in_control_store import problems_in_control_store
from leat.quality.alerts.in_warehouse import problems_in_warehouse
from leat.quality.alerts.problem import Problem
from leat.warehouse.session import Warehouse


def find_problems(
    store: Engine, warehouse: Warehouse, declarations: Mapping[str, Declaration], now: datetime
) -> dict[str, Problem]:
    """Return everything that is wrong now, by key, acknowledged or not."""
    with warehouse.snapshot() as session:
        problems = list(problems_in_warehouse(session, now))
    problems += problems_in_control_store(store, warehouse, declarations, now)
    return {problem.key: problem for problem in problems}
