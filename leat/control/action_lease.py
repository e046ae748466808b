"""The right to send the actions of an integration, which one process at a time has.

With SQLite it is a lock on a file, which ends with its holder. With Postgres it is a row with a deadline, for the
holder may be on another machine. Both count a fence: what a holder writes counts only while no later one has taken
over.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, bindparam, func, literal, select, update
from sqlalchemy.orm import Session

from leat.control.action_tables import ActionLease
from leat.control.engine import writing
from leat.warehouse.holder import has_ended, this_process
from leat.warehouse.lease import Fenced
from leat.warehouse.locks import file_lock
from leat.warehouse.session import Busy

LASTS = 90.0
"""Seconds for which a lease of Postgres lasts; its holder renews it before each request that it sends."""
_LEASE = ActionLease.metadata.tables[ActionLease.__tablename__]
_FENCE = select(_LEASE.c.fence).where(_LEASE.c.integration == bindparam("of")).with_for_update()
_COUNT = update(_LEASE).where(_LEASE.c.integration == bindparam("of")).values(claims=bindparam("number"))


@dataclass(slots=True)
class Lease:
    """The right to send.

    Attributes:
        integration: whose actions.
        fence: its number; later ones are higher.
        claims: how often somebody was about to send, as the store has it.
        deadline: :func:`time.monotonic` until which it lasts; infinite where a lock of the machine guards it.
    """

    integration: str
    fence: int
    claims: int
    deadline: float = math.inf

    def left(self) -> float:
        """Return the seconds that it still lasts."""
        return self.deadline - time.monotonic()


@contextlib.contextmanager
def hold_lease(engine: Engine, integration: str, wait: float = 0, lasts: float = LASTS) -> Iterator[Lease]:
    """Hold the right to send the actions of an integration.

    Args:
        engine: the control store.
        integration: whose actions.
        wait: seconds to wait for who has it.
        lasts: seconds for which it lasts on Postgres, unless it is renewed.

    Raises:
        Busy: another process has it.
    """
    if engine.dialect.name == "sqlite":
        folder = Path(f"{engine.url.database}.actions")
        with file_lock(folder / f"{integration}.lock", wait, f"sending actions of {integration}"):
            yield _take_file(engine, integration)
        return
    until = time.monotonic() + wait
    while (lease := _take_row(engine, integration, lasts)) is None:
        if time.monotonic() >= until:
            msg = f"another process sends the actions of {integration}; retry later"
            raise Busy(msg)
        time.sleep(0.1)
    try:
        yield lease
    finally:
        _give_back(engine, lease)


def renew(engine: Engine, lease: Lease, lasts: float = LASTS) -> None:
    """Let a lease of Postgres last longer; a lock on a file needs none.

    Raises:
        Fenced: another process has taken over.
    """
    if lease.deadline == math.inf:
        return
    begun = time.monotonic()
    row = ActionLease.integration == lease.integration, ActionLease.fence == lease.fence
    with writing(engine) as session:
        renewed = update(ActionLease).where(*row).values(expires_at=_from_now(lasts))
        if not session.execute(renewed.returning(ActionLease.fence)).all():
            raise Fenced(lease.integration)
    lease.deadline = begun + lasts


def check_fence(session: Session, lease: Lease) -> None:
    """Make sure, for the rest of a transaction, that nobody has taken over.

    Raises:
        Fenced: somebody has.
    """
    if session.scalar(_FENCE, {"of": lease.integration}) != lease.fence:
        raise Fenced(lease.integration)


def count_claim(session: Session, lease: Lease, claims: int) -> None:
    """Write how often somebody was about to send."""
    session.connection().execute(_COUNT, {"of": lease.integration, "number": claims})


def _take_file(engine: Engine, integration: str) -> Lease:
    with writing(engine, durable=True) as session:
        row = session.get(ActionLease, integration)
        if row is None:
            row = ActionLease(integration=integration, fence=0, claims=0)
            session.add(row)
        row.fence, row.holder = row.fence + 1, this_process()
        return Lease(integration, row.fence, row.claims)


def _take_row(engine: Engine, integration: str, lasts: float) -> Lease | None:
    begun = time.monotonic()
    with writing(engine) as session:
        row = session.get(ActionLease, integration, with_for_update=True)
        if row is None:
            with contextlib.suppress(Exception), session.begin_nested():
                session.add(ActionLease(integration=integration, fence=0, holder="", claims=0))
                session.flush()
            row = session.get(ActionLease, integration, with_for_update=True)
        if row is None:
            return None
        now = session.scalar(select(func.now()))
        held = row.expires_at is not None and (now is None or row.expires_at > now)
        if held and not has_ended(row.holder):
            return None
        lease = Lease(integration, row.fence + 1, row.claims, begun + lasts)
        values = {"fence": lease.fence, "holder": this_process(), "expires_at": _from_now(lasts)}
        session.execute(update(ActionLease).filter_by(integration=integration).values(values))
    return lease


def _give_back(engine: Engine, lease: Lease) -> None:
    row = ActionLease.integration == lease.integration, ActionLease.fence == lease.fence
    with writing(engine) as session:
        session.execute(update(ActionLease).where(*row).values(expires_at=None))


def _from_now(seconds: float) -> object:
    return func.now() + literal(timedelta(seconds=seconds))
