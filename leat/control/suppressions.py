"""Addresses that get no mail: they bounced for good, complained, opted out of bulk mail, or a person added them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from leat.control.engine import storable, writing
from leat.control.mail_tables import Suppression as Row

Reason = Literal["bounce", "complaint", "opt_out", "manual"]
"""Why an address gets no mail. ``opt_out`` is about bulk mail only: a receipt still arrives."""
REASONS: tuple[Reason, ...] = ("bounce", "complaint", "opt_out", "manual")
SAID: dict[str, str] = {
    "bounce": "its mail comes back",
    "complaint": "somebody complained about mail to it",
    "opt_out": "it wants no bulk mail",
    "manual": "a person suppressed it",
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that gets no mail, in lower case; an address may have several, with different reasons.

    ``since`` is when leat learned of the reason.
    """

    address: str
    reason: Reason
    since: datetime
    added_by: str
    note: str = ""


def suppress(engine: Engine, suppressions: Sequence[Suppression]) -> list[Suppression]:
    """Suppress what isn't yet, and return it; nothing whose ``since`` is before the time when it was released."""
    if not suppressions:
        return []
    added = []
    with writing(engine, durable=True) as session:
        for each in suppressions:
            row = session.get(Row, (each.address.lower(), each.reason))
            if row is not None and (row.released_at is None or each.since <= row.released_at):
                continue
            said = {"since": each.since, "added_by": each.added_by, "note": storable(each.note), "released_at": None}
            session.merge(Row(address=each.address.lower(), reason=each.reason, **said))
            session.flush()
            added.append(each)
    return added


def release(engine: Engine, address: str, now: datetime, reason: str | None = None) -> int:
    """Let an address get mail again; return how many entries there were.

    Args:
        engine: the control store.
        address: the address.
        now: the time.
        reason: only what has this reason; None for all.
    """
    with writing(engine, durable=True) as session:
        change = update(Row).where(Row.address == address.lower(), Row.released_at.is_(None)).values(released_at=now)
        result: Any = session.execute(change.where(Row.reason == reason) if reason else change)
        return int(result.rowcount)


def read_suppressions(engine: Engine, addresses: Collection[str] | None = None) -> list[Suppression]:
    """Return what is suppressed, by address; only of some addresses if they are given."""
    query = select(Row).where(Row.released_at.is_(None)).order_by(Row.address, Row.reason)
    if addresses is not None:
        query = query.where(Row.address.in_({each.lower() for each in addresses}))
    with Session(engine) as session:
        return [
            Suppression(row.address, row.reason, row.since, row.added_by, row.note)  # type: ignore[arg-type]
            for row in session.scalars(query)
        ]
