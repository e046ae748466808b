"""What an erasure notes in the warehouse: a load of kind ``erasure``, so that models are built again, and new keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from leat.pipelines.load import state
from leat.pipelines.load.cells import PREFIX
from leat.pipelines.load.landing import next_load_id
from leat.pipelines.load.results import StreamResult
from leat.quality.ledger import violation_key
from leat.runs.subjects.rewriting import Erased
from leat.runs.workspace import Workspace
from leat.warehouse.session import Session, quote

ERASURE = "erasure"
"""Kind of a load that only erases somebody."""


def note_loads(workspace: Workspace, session: Session, erased: Sequence[Erased], now: datetime) -> None:
    """Note a load for each integration in whose tables rows were erased, in the open transaction."""
    state.create_tables(session)
    for name, declaration in workspace.declarations.items():
        counts: dict[str, tuple[int, int]] = {}
        streams = {stream.name for stream in declaration.every_stream()}
        for each in erased:
            schema, _, table = each.table.partition(".")
            stream = table if table in streams else table.removesuffix("_history")
            if schema == name and stream in streams:
                deleted, changed = counts.get(stream, (0, 0))
                counts[stream] = (deleted + each.deleted, changed + each.changed)
        if counts:
            current = state.read_state(session, name)
            at = current.later(now)
            load_id = next_load_id(at, current.newest_load)
            state.write_load(session, load_id, name, ERASURE, (at, at))
            results = [_result(session, name, stream, *numbers) for stream, numbers in sorted(counts.items())]
            state.write_results(session, load_id, name, results)


def _result(session: Session, integration: str, stream: str, deleted: int, changed: int) -> StreamResult:
    exists = bool(session.columns(integration, stream))
    sql = f"SELECT count(*) FROM {quote(integration, stream)} WHERE _deleted_at IS NULL"
    total = int(session.execute(sql)[0][0]) if exists else 0
    return StreamResult(stream, 0, changed, 0, 0, 0, total, deleted)


def rename_violations(workspace: Workspace, session: Session) -> dict[str, str]:
    """Give violations the keys that their evidence has now, so that they stay the same violations.

    Returns the new key of each that has got one.
    """
    keys = {rule.name: rule.key for rule in workspace.described.rules}
    rows = session.execute(
        "SELECT rule, violation_key, CAST(evidence AS VARCHAR) FROM leat.violations "
        f"WHERE lower(CAST(evidence AS VARCHAR)) LIKE '%erased%' OR CAST(evidence AS VARCHAR) LIKE '%{PREFIX}%'"
    )
    renamed: dict[str, str] = {}
    for rule, old, evidence in rows:
        values = json.loads(evidence)
        if rule in keys and set(keys[rule]) <= set(values):
            new = violation_key(rule, [values[column] for column in keys[rule]])
            if new != old:
                session.change("DELETE FROM leat.violations WHERE violation_key = ?", (new,))
                session.change("UPDATE leat.violations SET violation_key = ? WHERE violation_key = ?", (new, old))
                renamed[old] = new
    return renamed
