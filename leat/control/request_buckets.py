"""Buckets of requests that all servers take from; only on Postgres. leat.serve.limits says when.

Names are keyed hashes, because an address is personal data.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Engine, delete, func, literal, text
from sqlalchemy.dialects.postgresql import insert

from leat.control.budget_tables import RequestBucket as Row
from leat.control.engine import writing

_RETAINED = timedelta(hours=1)


def take(engine: Engine, key: bytes, size: float, rate: float, numbers: Mapping[str, int]) -> dict[str, float]:
    """Take numbers out of buckets by name; return what these hold, which may be less than nothing.

    It doesn't wait for the disk.

    Args:
        engine: the control store.
        key: of the hashes.
        size: what a full bucket holds.
        rate: what comes in, in a second.
        numbers: what is taken.
    """
    names = {hmac.new(key, f"{size} {name}".encode(), hashlib.sha256).hexdigest(): name for name in numbers}
    now = func.clock_timestamp()
    new = insert(Row).values(  # in one order, or two servers could wait for each other
        [{"name": hashed, "holds": size - numbers[names[hashed]], "at": now} for hashed in sorted(names)]
    )
    seconds = func.greatest(0.0, func.extract("epoch", now - Row.at))
    filled = func.least(size, Row.holds + seconds * rate)
    changed = {"holds": filled - (size - new.excluded.holds), "at": now}
    taken = new.on_conflict_do_update(index_elements=[Row.name], set_=changed).returning(Row.name, Row.holds)
    with writing(engine) as session:
        session.execute(text("SET LOCAL synchronous_commit = off"))
        return {names[name]: float(holds) for name, holds in session.execute(taken)}


def remove_old(engine: Engine) -> None:
    """Remove the buckets that nobody has taken from for an hour: they are full."""
    with writing(engine) as session:
        session.execute(delete(Row).where(Row.at < func.now() - literal(_RETAINED)))
