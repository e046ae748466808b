"""Which data key the columns of a warehouse are encrypted with.

All columns have ciphertexts of one key, else equal values in joined columns would differ. So a new key is used once
everything has been encrypted with it (:mod:`leat.pipelines.load.reencrypt`), and the warehouse says which key that is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from leat.pipelines.load import state
from leat.pipelines.load.cells import CellError, Cipher, DataKey, DataKeys
from leat.pipelines.load.engine import Engine
from leat.pipelines.load.mask_key import read_mask_key
from leat.pipelines.load.people import People, kinds_of
from leat.pipelines.load.plan import LoadPlan
from leat.pipelines.load.state import ColumnKey, State
from leat.pipelines.load.writing import writing


def with_column_key(engine: Engine, plan: LoadPlan, now: datetime) -> LoadPlan:
    """Return a plan with the key that its columns are encrypted with: that of the warehouse, or the first one.

    Raises:
        CellError: the key isn't there.
        Busy: another process has been writing for too long.
    """
    if not plan.encrypts:
        return plan
    key = plan.start.column_key
    if key is None:
        key = ColumnKey(_keys(engine).current().kid, binds=True) if plan.dry else _claim(engine, now)
    return replace(plan, column_key=replace(key, kid=_key(engine, key.kid).kid))


def _claim(engine: Engine, now: datetime) -> ColumnKey:
    """Write down the key of the first columns before anything has its ciphertexts, so that nobody retires it."""
    with _keys(engine).hold() as key, writing(engine.warehouse, state.SCHEMA) as session:
        state.create_tables(session)
        there = state.read_column_key(session)
        if there is None:
            state.insert(session, "column_key", [(key.kid, now, True)])
        return there or ColumnKey(key.kid, binds=True)


def cipher_of(engine: Engine, plan: LoadPlan) -> Cipher | None:
    """Return what encrypts the columns of a load; None if it has none to encrypt.

    Raises:
        CellError: the key isn't there.
    """
    if plan.column_key is None:
        return None
    key = _key(engine, plan.column_key.kid)
    return Cipher(key, read_mask_key(engine.project), binds=plan.column_key.binds)


def people_of(engine: Engine, plan: LoadPlan) -> People | None:
    """Return what gives the ciphers of people; None if no column of a load is encrypted by their keys."""
    if not any(how.person for schema in plan.tables.values() for how in schema.encrypted.values()):
        return None
    kinds, tombstones = kinds_of(plan.declaration.every_stream()), engine.tombstones()
    nonce_key = read_mask_key(engine.project)
    return People(plan.declaration.name, _keys(engine), nonce_key, tombstones, kinds, make=not plan.dry)


def is_overtaken(plan: LoadPlan, before: State) -> bool:
    """Return whether a load was encrypted otherwise than the warehouse is by now."""
    return plan.column_key is not None and plan.column_key != before.column_key and not plan.dry


def _keys(engine: Engine) -> DataKeys:
    keys = engine.column_keys()
    if keys is None:
        msg = "columns are declared to be encrypted, and this project has no keys. Next: `leat keys status` says more"
        raise CellError(msg)
    return keys


def _key(engine: Engine, kid: str) -> DataKey:
    key = _keys(engine).find(kid)
    if key is None:
        msg = (
            f"the columns of this warehouse are encrypted with the key {kid}, which this project doesn't have. Next: "
            "bring the key back; `leat keys status` shows which keys there are. Nothing was loaded"
        )
        raise CellError(msg)
    return key
