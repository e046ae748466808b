"""Builds the rows of one model: those that changes of its inputs concern, where its grain says which, else all of them.

The rows that are touched are deleted and built again, in the transaction of the refresh. So readers see both or
neither, and on Postgres the table, with its privileges, stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leat.assets import changed_keys
from leat.assets.changed_keys import FEW, BuildWhole, Delta, Deltas
from leat.assets.grain import Grain
from leat.assets.materialize import materialize
from leat.assets.model import Model
from leat.assets.model_inputs import Loads, forget_inputs, read_inputs, write_inputs
from leat.assets.touched_rows import TOUCHED, is_touched, query_of_touched
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load.results import RebuiltRows
from leat.warehouse.session import Session, quote

_MADE = "leat_made"
_REBUILT = "leat_rebuilt"
_MOST = 0.5
"""From this share of touched rows on, building all rows costs less."""


@dataclass(frozen=True, slots=True)
class Before:
    """A model as it was built last: its fingerprint and its rows."""

    fingerprint: str
    rows: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What a model is built of.

    Attributes:
        fingerprint: changes with its query, the form of its inputs, and their rows.
        form: changes with its query and the form of its inputs.
        versions: of its inputs; one changes when the rows of the input do.
    """

    fingerprint: str
    form: str
    versions: Mapping[str, str | None]


def rebuild(
    session: Session, model: Model, before: Before | None, identity: Identity, deltas: Deltas, *, whole: bool
) -> tuple[int, str]:
    """Build a model; returns its rows, and in words what was built and why.

    Args:
        session: the transaction.
        model: the model.
        before: as it was built last; None if its table isn't there.
        identity: what it is built of.
        deltas: what the builds of other models have replaced; this one's is added if it is wanted.
        whole: whether somebody wants it to be built whole.
    """
    if model.grain is None:
        reason = "built whole, as asked for" if whole else "its query or an input has changed"
        reason = reason if before else "built for the first time"
        forget(session, model.name)
        return _whole(session, model), reason
    inputs = changed_keys.read_versions(session, model, model.grain, identity.versions)
    try:
        rows, reason = _touched(session, model, model.grain, None if whole else before, identity, inputs, deltas)
    except BuildWhole as why:
        rows, reason = _whole(session, model), "built whole, as asked for" if whole and before else str(why)
        changed_keys.store_all(session, model.name, model.grain)
    write_inputs(session, model, inputs, identity.form, identity.fingerprint)
    return rows, reason


def forget(session: Session, model: str) -> None:
    """Drop what is stored to build a model by its grain."""
    if session.execute("SELECT 1 FROM leat.model_inputs WHERE model = ? LIMIT 1", (model,)):
        changed_keys.forget(session, model)
        forget_inputs(session, model)


def _whole(session: Session, model: Model) -> int:
    materialize(session, model)
    return int(session.execute(f"SELECT count(*) FROM {quote(ANALYTICS, model.name)}")[0][0])


def _touched(
    session: Session,
    model: Model,
    grain: Grain,
    before: Before | None,
    identity: Identity,
    inputs: Mapping[str, Loads],
    deltas: Deltas,
) -> tuple[int, str]:
    """Build the touched rows.

    Raises:
        BuildWhole: all rows have to be built, or it costs less; nothing has changed.
    """
    if before is None:
        msg = "built for the first time"
        raise BuildWhole(msg)
    read = read_inputs(session, model.name, identity.form, before.fingerprint)
    if read is None or list(session.columns(ANALYTICS, model.name)) != list(model.columns):
        msg = "its query or the form of an input has changed"
        raise BuildWhole(msg)
    touched = changed_keys.touch(session, model, grain, read, inputs, deltas)
    name, listed = quote(ANALYTICS, model.name), ", ".join(map(quote, model.columns))
    condition = is_touched(session.dialect, [quote(c) for c in grain.columns], touched, by_index=True)
    keys = int(session.execute(f"SELECT count(*) FROM {TOUCHED}")[0][0]) + touched.nulls
    delta = f"leat_delta_{len(deltas.of)}"
    if grain.needed and not touched.nulls and all(map(grain.alone, touched.changed)) and touched.only_new:
        condition = "1 = 0"  # no row of the model has these values yet
    if model.name in deltas.wanted:
        session.create_temporary(delta, f"SELECT {listed} FROM {name} WHERE {condition}")
    gone = session.change(f"DELETE FROM {name} WHERE {condition}")
    if gone > max(FEW, _MOST * before.rows):
        msg = "a change concerns most of its rows"
        raise BuildWhole(msg)
    changed_keys.follow(session, model.name, grain, touched)
    where = is_touched(session.dialect, [quote(c) for c in grain.columns], touched)
    select = f"SELECT {listed} FROM ({query_of_touched(session, grain, touched)}) AS q WHERE {where}"
    if model.name in deltas.wanted:
        session.create_temporary(_MADE, select)
        session.execute(f"INSERT INTO {delta} SELECT {listed} FROM {_MADE}")
        select = f"SELECT {listed} FROM {_MADE}"
        deltas.of[model.name] = Delta(delta, before.fingerprint)
    if (rebuilt := deltas.rebuilt) is not None and model.checks:
        own = f"{_REBUILT}_{len(rebuilt)}"
        session.create_temporary(own, f"SELECT {listed} FROM {name} WHERE 1 = 0")  # the types are those of the model
        session.execute(f"INSERT INTO {own} {select}")
        made = session.change(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {own}")
        rebuilt[model.name] = RebuiltRows(own, grain.columns, before.fingerprint, before.rows - gone + made)
    else:
        made = session.change(f"INSERT INTO {name} ({listed}) {select}")
    return before.rows - gone + made, f"rows of {keys} changed {'key' if keys == 1 else 'keys'} were built"
