"""The past of models: every version of a row, from comparing a model before and after it was built.

A version begins at the moment of the newest load that the model was built from, so that ``leat.load_time`` fits it.
Only rows that changed are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from leat.assets.model import Model
from leat.pipelines.declare.system_columns import HISTORY_COLUMNS
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import as_of
from leat.pipelines.load.table_schema import widens
from leat.warehouse.session import Session, literal, quote

_TIMES: Mapping[str, str] = {
    "valid_from": "From when on this version of the row held, UTC.",
    "valid_to": "Until when it held; null for the current version.",
}
_GONE = "leat_gone"


class TypeChange(Exception):
    """A column of a model has another type than in its history, so the history can't continue."""


def write_history(session: Session, model: Model, now: datetime) -> None:
    """Bring the history of a model that was just built up to date, and its function ``<model>_as_of``.

    Args:
        session: the transaction that built the model.
        model: whose header says ``history: true``.
        now: the time of the run, UTC; it counts when no load is newer than the last version.

    Raises:
        TypeChange: a column has got another type; the text says what to do.
    """
    columns = session.columns(ANALYTICS, model.name)
    changed = _shape(session, model, columns)
    moment = _moment(session, model, now)
    _end_versions(session, model, columns, moment)
    listed = ", ".join(map(quote, columns))
    history, table = _names(model)
    session.execute(
        f"INSERT INTO {history} ({listed}, valid_from) SELECT {listed}, CAST(? AS TIMESTAMPTZ) FROM "
        f"(SELECT {listed} FROM {table} EXCEPT SELECT {listed} FROM {history} WHERE valid_to IS NULL) AS fresh",
        (moment,),
    )
    if as_of.complete_from(session, ANALYTICS, model.name) is None:
        as_of.set_complete_from(session, ANALYTICS, model.name, moment)
        changed = True
    if changed or not as_of.has_as_of(session, ANALYTICS, model.name):
        given = {name: (kind, f"h.{quote(name)}") for name, kind in columns.items()}
        as_of.create_as_of(session, ANALYTICS, model.name, given)


def close_history(session: Session, name: str) -> None:
    """Drop the function of a model without history any longer; the versions stay, because they can't be recreated."""
    if as_of.complete_from(session, ANALYTICS, name) is not None:
        as_of.drop_as_of(session, ANALYTICS, name)


def _names(model: Model) -> tuple[str, str]:
    return quote(ANALYTICS, f"{model.name}_history"), quote(ANALYTICS, model.name)


def _shape(session: Session, model: Model, columns: Mapping[str, str]) -> bool:
    """Create the history or give it the columns of the model; returns whether it changed."""
    history, _ = _names(model)
    kinds = {name: session.dialect.sql_type(kind) for name, kind in columns.items()}
    there = session.columns(ANALYTICS, f"{model.name}_history")
    if not there:
        times = {name: session.dialect.sql_type(HISTORY_COLUMNS[name]) for name in _TIMES}
        listed = ", ".join(f"{quote(name)} {kind}" for name, kind in {**kinds, **times}.items())
        session.execute(f"CREATE TABLE {history} ({listed})")
        session.execute(f"COMMENT ON TABLE {history} IS {literal(f'Every version of: {model.description}')}")
    for name, kind in kinds.items():
        if there and name not in there:
            session.execute(f"ALTER TABLE {history} ADD COLUMN {quote(name)} {kind}")
        elif there and there[name] != columns[name]:
            if not widens(there[name], columns[name]):
                msg = (
                    f"{model.shown}: column {name} was {there[name]} and is {columns[name]} now, which its history "
                    f"can't hold. Next: CAST it back, give the column another name, or drop {history} and start over"
                )
                raise TypeChange(msg)
            session.execute(f"ALTER TABLE {history} ALTER COLUMN {quote(name)} TYPE {kind}")
    for name, text in {**model.columns, **_TIMES}.items():
        if text and there.keys() != {**kinds, **_TIMES}.keys():
            session.execute(f"COMMENT ON COLUMN {history}.{quote(name)} IS {literal(text)}")
    return there != {**columns, **{name: HISTORY_COLUMNS[name] for name in _TIMES}}


def _moment(session: Session, model: Model, now: datetime) -> datetime:
    history, _ = _names(model)
    newest: datetime | None = session.execute("SELECT max(applied_at) FROM leat.loads")[0][0]
    began, ended = session.execute(f"SELECT max(valid_from), max(valid_to) FROM {history}")[0]
    last: datetime | None = max((each for each in (began, ended) if each is not None), default=None)
    if newest is not None and (last is None or newest > last):
        return newest
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _end_versions(session: Session, model: Model, columns: Mapping[str, str], moment: datetime) -> None:
    """End the current versions that the model doesn't have any more, as they are or at all."""
    history, table = _names(model)
    listed, keys = ", ".join(map(quote, columns)), [quote(name) for name in model.key]
    session.create_temporary(
        _GONE,
        f"SELECT {', '.join(keys)} FROM (SELECT {listed} FROM {history} WHERE valid_to IS NULL "
        f"EXCEPT SELECT {listed} FROM {table}) AS gone",
    )
    end = f"UPDATE {history} AS h SET valid_to = ? WHERE h.valid_to IS NULL"
    equal = " AND ".join(f"g.{key} = h.{key}" for key in keys)
    session.execute(f"{end} AND EXISTS (SELECT 1 FROM {_GONE} AS g WHERE {equal})", (moment,))
    empty = " OR ".join(f"{key} IS NULL" for key in keys)
    if session.execute(f"SELECT 1 FROM {_GONE} WHERE {empty} LIMIT 1"):  # apart: such a join can't be hashed
        same = " AND ".join(f"g.{key} IS NOT DISTINCT FROM h.{key}" for key in keys)
        session.execute(
            f"{end} AND ({empty}) AND EXISTS (SELECT 1 FROM {_GONE} AS g WHERE {same})",
            (moment,),
        )
