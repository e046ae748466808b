"""How often a webhook was sent, when, and what came back: of the outbox while it is open, of its message afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leat.control.action_tables import Action, ActionAttempt
from leat.control.webhook_tables import WebhookMessage

ANSWER = "answer"
"""The key of a receipt that has what the endpoint answered."""
MOST = 100
"""So many attempts of a message are stored: it may be sent again and again."""
_LOST = "leat ended before it had an answer"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a message was sent.

    Attributes:
        sent_at: when it began.
        ended_at: when it ended; None while it is under way.
        accepted: whether the endpoint accepted the message; None while it is under way.
        answer: what came back: the status and the beginning of the body, or why nothing did.
    """

    sent_at: datetime
    ended_at: datetime | None
    accepted: bool | None
    answer: str | None


def attempts_of(session: Session, action: Action) -> list[Attempt]:
    """Return the attempts of an action, the first one first."""
    wanted = select(ActionAttempt).filter_by(action_id=action.id).order_by(ActionAttempt.number)
    return [_attempt(row, action) for row in session.scalars(wanted)]


def all_attempts(session: Session, message: WebhookMessage, action: Action | None) -> list[Attempt]:
    """Return the attempts of a message, also those before it was sent again, the first one first."""
    over = [_read(entry) for entry in message.attempt_log or ()]
    return over if action is None else [*over, *attempts_of(session, action)]


def entry_of(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as the message stores it."""
    ended = attempt.ended_at and attempt.ended_at.isoformat()
    return {"sent_at": attempt.sent_at.isoformat(), "ended_at": ended, "accepted": attempt.accepted,
            "answer": attempt.answer}  # fmt: skip


def _read(entry: Mapping[str, Any]) -> Attempt:
    ended = entry["ended_at"] and datetime.fromisoformat(entry["ended_at"])
    return Attempt(datetime.fromisoformat(entry["sent_at"]), ended, entry["accepted"], entry["answer"])


def _attempt(row: ActionAttempt, action: Action) -> Attempt:
    if row.ended_at is None:
        return Attempt(row.sent_at, None, None, None)
    accepted = row.outcome in ("done", "confirmed")
    answer = (action.receipt or {}).get(ANSWER) if accepted else _LOST if row.outcome == "lost" else row.error
    return Attempt(row.sent_at, row.ended_at, accepted, answer)
