"""Messages of webhooks as lists show them, and which ones are wanted: in a list, or to be sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Status = Literal["waiting", "sending", "retrying", "sent", "failed"]
Outcome = Literal["open", "sent", "failed"]
"""Open is whatever isn't over."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A message as it is now; ``next_at`` says when one that is retrying is sent again."""

    id: str
    endpoint: str
    event_type: str
    status: Status
    created_at: datetime
    attempts: int
    ended_at: datetime | None
    error: str | None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: all that are like each value that is given.

    Attributes:
        endpoint: to this one.
        outcome: open, sent or failed.
        event_type: about this.
        since: written then or later.
        until: written before.
        prefix: whose id begins so.
    """

    endpoint: str | None = None
    outcome: Outcome | None = None
    event_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    prefix: str = ""
