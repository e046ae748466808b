"""The guard against too many quarantined records: a stream with too many fails, and its rows stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load.results import StreamResult
from leat.sources.errors import Permanent
from leat.warehouse.session import Session

GUARD_FROM = 10
"""Of fewer records any share may be quarantined, as long as one is good."""

_REASONS = 3


class TooManyQuarantined(Permanent):
    """A larger share of a stream's records is quarantined than its declaration allows."""


def guard_quarantine(session: Session, declaration: Declaration, result: StreamResult, reasons: Sequence[str]) -> None:
    """Refuse a load that leaves too large a share of a stream's records in the quarantine.

    The share is that of all records: those in quarantine, and the rows that exist now. Nothing is refused by a load
    that brought no record into the quarantine.

    Args:
        session: the transaction in which the stream was applied.
        declaration: whose stream it is.
        result: what applying it did.
        reasons: why records of this load were quarantined, one for each.

    Raises:
        TooManyQuarantined: the share is above ``max_quarantine_share``.
    """
    if not reasons and not result.quarantined:
        return
    allowed = declaration.options(result.stream).max_quarantine_share
    sql = "SELECT count(*) FROM leat.quarantine WHERE integration = ? AND stream = ?"
    bad = int(session.execute(sql, (declaration.name, result.stream))[0][0])
    every = bad + result.total
    if allowed >= 1 or not bad or (result.total and (every < GUARD_FROM or bad <= allowed * every)):
        return
    shown = "; ".join(f"{reason} ({count})" for reason, count in Counter(reasons).most_common(_REASONS))
    name = f"{declaration.name}.{result.stream}"
    raise TooManyQuarantined(
        declaration.name,
        f"applying {name}",
        f"{bad} of {every} records are quarantined, and max_quarantine_share is {allowed:.0%}"
        + (f"; most often: {shown}" if shown else ""),
        f"`leat quarantine {name}` lists them; correct the declared types or the records, or raise "
        f"streams.{result.stream}.max_quarantine_share",
    )
