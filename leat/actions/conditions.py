"""What an automation wants of the sending of its actions, as they carry it: quiet hours, a second look, failures.

::

    quiet_hours          start, end and zone: nothing is sent in between
    recheck              true: plan again before the first attempt; if the plan is another one, the action expires
    approver             the role that whoever approves it must have at least
    on_unknown           "ask": if an attempt had no answer and its effect is absent, a person decides
    stop_after_failures  so many failures in a row stop the automation
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from leat.actions.propose import digest_of
from leat.control.outbox import ActionRow
from leat.sources.actions import Action, Order, Refused

OUTDATED = "outdated: the system has changed since it was planned"
"""Why an action expires whose plan would be another one now; its automation plans it again."""
NO_LONGER_NEEDED = "no_longer_needed"
"""How the reason of an action begins that expires because there is nothing left to do."""


def quiet_until(conditions: Mapping[str, Any] | None, now: datetime) -> datetime | None:
    """Return when quiet hours end, if it is within them."""
    hours = (conditions or {}).get("quiet_hours")
    if hours is None:
        return None
    start, end, zone = time.fromisoformat(hours["start"]), time.fromisoformat(hours["end"]), ZoneInfo(hours["zone"])
    here = now.astimezone(zone)
    clock = here.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return None
    day = here.date() if clock < end else here.date() + timedelta(days=1)
    return datetime.combine(day, end, zone).astimezone(now.tzinfo)


def why_not_any_more(system: Any, row: ActionRow, action: Action, order: Order) -> str | None:
    """Plan an action again that wants it, and return why it must not be sent; None if the plan is the same."""
    if not (row.conditions or {}).get("recheck") or row.attempts > 1:
        return None
    try:
        plan = action.plan(system, row.id, order.parameters)
    except Refused as refusal:
        return f"{NO_LONGER_NEEDED}: {refusal}"
    return None if digest_of(row.integration, row.verb, plan) == row.digest else OUTDATED
