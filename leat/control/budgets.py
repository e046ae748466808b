"""Rate budgets that machines share: rows of a control store on Postgres; see :mod:`leat.sources.http.budget`."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from leat.control.budget_tables import RateBudget
from leat.control.engine import writing
from leat.warehouse.session import WarehouseError

_KEY = "key"
"""The name of the row that has the key of the names of all others, which are as long as a hash."""

_SETTINGS = "SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL synchronous_commit = off"
"""A process that is frozen between question and answer doesn't stop the others, and none waits for the disk."""
_ASKED_AGAIN = 1.0
"""Seconds after which it is asked again whether another machine has made a budget."""


class SharedBudgets:
    """The budgets of a control store on Postgres."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._there: dict[str, float] = {}

    def key(self) -> bytes:
        """Return the key of the names, made at first use."""
        made = insert(RateBudget).values(name=_KEY, state=secrets.token_hex(32)).on_conflict_do_nothing()
        wanted = select(RateBudget.state).filter_by(name=_KEY)
        with self._writing() as session:
            key = session.scalar(wanted)
            if key is None:
                session.execute(made)
                key = session.scalars(wanted).one()
        return bytes.fromhex(key)

    def exists(self, name: str) -> bool:
        """Return whether there is a budget, as of a second ago; once there is one, it stays."""
        now = time.monotonic()
        until = self._there.get(name, 0.0)
        if until < now:
            with self._writing() as session:
                there = session.scalar(select(1).where(RateBudget.name == name)) is not None
            until = self._there[name] = math.inf if there else now + _ASKED_AGAIN
        return until == math.inf

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[tuple[bytes, float, dict[str, Any]]]:
        """Give what a budget holds, the time of the server, and what is written back at the end of the block."""
        wanted = select(RateBudget.state, func.extract("epoch", func.clock_timestamp())).filter_by(name=name)
        with self._writing() as session:
            row = session.execute(wanted.with_for_update()).one_or_none()
            if row is None:
                session.execute(insert(RateBudget).values(name=name, state="{}").on_conflict_do_nothing())
                row = session.execute(wanted.with_for_update()).one()
            written: dict[str, Any] = {}
            yield row[0].encode(), float(row[1]), written
            session.execute(update(RateBudget).filter_by(name=name).values(state=json.dumps(written)))
        self._there[name] = math.inf

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        try:
            with writing(self._engine) as session:
                session.execute(text(_SETTINGS))
                yield session
        except DBAPIError as error:
            msg = (
                f"the rate budgets in the control store can't be read: {str(error.orig).strip()}. Next: check "
                "LEAT_CONTROL and its server; nothing was sent without a turn"
            )
            raise WarehouseError(msg) from error
