"""Up to where a model reflects its inputs, so that the next build knows which of their rows are new to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leat.assets.model import Model
from leat.pipelines.load import state
from leat.pipelines.load.plan import BACKFILL, SYNC
from leat.warehouse.session import Session

_CHANGED = "s.inserted + s.updated + s.deleted + COALESCE(s.purged, 0) > 0"


@dataclass(frozen=True, slots=True)
class Loads:
    """The loads that have changed a stream: the id of the newest one, and how many there are."""

    newest: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Since:
    """What has happened to a stream since a model was built.

    Attributes:
        rows: rows that are new, changed or deleted; each has a later ``_load_id``.
        total: rows that exist.
        first: the oldest of the later loads.
        only_new: whether all of these rows are new.
        opaque: why that doesn't say which rows have changed; None if it does.
    """

    rows: int
    total: int
    first: str
    only_new: bool
    opaque: str | None = None


def read_loads(session: Session, table: str, upto: str | None = None) -> Loads:
    """Return the loads that have changed a stream, ``integration.stream``, at most up to one of them."""
    sql = (
        "SELECT max(s.load_id), count(*) FROM leat.load_streams AS s "
        f"WHERE s.integration = ? AND s.stream = ? AND {_CHANGED}"
    )
    if upto is None:
        ((newest, count),) = session.execute(sql, table.split("."))
    else:
        ((newest, count),) = session.execute(f"{sql} AND s.load_id <= ?", (*table.split("."), upto))
    return Loads(newest, int(count))


def read_since(session: Session, table: str, before: Loads) -> Since:
    """Return what has happened to a stream since some loads.

    Retention and erasure remove rows and leave nothing with a load's id, and a reset may have made the table again.
    """
    integration, stream = table.split(".")
    if read_loads(session, table, before.newest or "") != before:
        return Since(0, 0, "", only_new=False, opaque=f"the record of the loads of {table} has changed")
    rows = session.execute(
        "SELECT l.kind, s.inserted, s.updated + s.deleted, COALESCE(s.purged, 0), s.total, s.load_id "
        "FROM leat.load_streams AS s "
        "LEFT JOIN leat.loads AS l ON l.load_id = s.load_id AND l.integration = s.integration "
        f"WHERE s.integration = ? AND s.stream = ? AND {_CHANGED} AND s.load_id > ? ORDER BY s.load_id",
        (integration, stream, before.newest or ""),
    )
    opaque = None
    for kind, _, _, purged, _, _ in rows:
        if purged or kind not in (SYNC, BACKFILL):
            opaque = f"rows of {table} were removed or replaced"
    changed = sum(int(row[2]) for row in rows)
    number = changed + sum(int(row[1]) for row in rows)
    total, first = (int(rows[-1][4]), str(rows[0][5])) if rows else (0, "")
    return Since(number, total, first, only_new=not changed, opaque=opaque)


def read_inputs(session: Session, model: str, form: str, fingerprint: str) -> dict[str, Loads] | None:
    """Return what a model was built of, by input; None if it wasn't built in this form, or not by a grain.

    Args:
        session: the transaction.
        model: its name.
        form: identifies what the model is made by: its query and the form of its inputs.
        fingerprint: of the model as it is in ``leat.models``.
    """
    rows = session.execute("SELECT input, version, loads, form FROM leat.model_inputs WHERE model = ?", (model,))
    if not rows or {row[3] for row in rows} != {f"{form} {fingerprint}"}:
        return None
    return {row[0]: Loads(row[1], int(row[2])) for row in rows}


def write_inputs(session: Session, model: Model, inputs: Mapping[str, Loads], form: str, fingerprint: str) -> None:
    """Note what a model was built of."""
    forget_inputs(session, model.name)
    rows = [(model.name, name, loads.newest, loads.count, f"{form} {fingerprint}") for name, loads in inputs.items()]
    state.insert(session, "model_inputs", rows)


def forget_inputs(session: Session, model: str) -> None:
    """Forget what a model was built of: it is built whole the next time."""
    session.execute("DELETE FROM leat.model_inputs WHERE model = ?", (model,))
