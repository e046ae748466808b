"""A letter: the frozen bytes of a mail, whom it goes to, and the Message-ID by which it can be searched for.

Only the Date is added when it is sent: a mail that waited a week for its approval would otherwise arrive a week old. It
is the time of the first attempt, so that every attempt sends the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from leat.sources.actions import Order

BODY = "message.eml"
"""Name of the bytes among the bodies of a plan."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed to the server.

    Attributes:
        message_id: without angle brackets.
        sender: address that bounces go to.
        recipients: addresses that it is delivered to, those of blind copies too.
        content: header and body without Date, lines end with CRLF.
        witness: address that gets a blind copy, to show that the server accepted it.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    witness: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return all but the content, for the payload of a plan."""
        return {
            "message_id": self.message_id,
            "sender": self.sender,
            "recipients": list(self.recipients),
            "witness": self.witness,
        }

    def dated(self, moment: datetime | None) -> bytes:
        """Return the bytes to send."""
        date = format_datetime((moment or datetime.now(UTC)).astimezone(UTC))
        return b"Date: " + date.encode("ascii") + b"\r\n" + self.content

    def envelope(self) -> list[str]:
        """Return every address that it is delivered to, each once."""
        return list(dict.fromkeys([*self.recipients, *([self.witness] if self.witness else [])]))


def letter_of(order: Order) -> Letter:
    """Return the letter of a planned action."""
    planned: Mapping[str, Any] = order.plan.payload
    return Letter(
        planned["message_id"],
        planned["sender"],
        tuple(planned["recipients"]),
        order.plan.bodies[BODY],
        planned["witness"],
    )
