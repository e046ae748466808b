"""The parameters of the verbs of calendars that send mail."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from leat.sources.actions import Parameters
from leat.sources.calendar.parameter_values import Addresses, Name, Occurrence
from leat.sources.calendar.parameters import CALENDAR, OfOccurrence


class Invite(OfOccurrence):
    """Which event it is about, and whom to send it to."""

    attendees: Addresses = Field(
        default=(), max_length=500, description="Only these attendees of the event, separated by commas; none for all."
    )


class SendUpdate(Invite):
    """Which event has changed, and whom to inform."""


class SendCancellation(Invite):
    """Which event is cancelled, and whom to inform."""


class SendReply(Parameters):
    """Which invitation to answer: one in a calendar, or one that arrived by mail."""

    answer: Literal["accepted", "declined", "tentative"] = Field(description="The answer.")
    calendar: Name | None = Field(default=None, description=CALENDAR)
    event: Name | None = Field(default=None, description="UID of the event or series.")
    invitation: str | None = Field(
        default=None, max_length=1_000_000, description="Instead of an event: what arrived by mail, in iCalendar."
    )
    occurrence: Occurrence = Field(default=None, description="Original start of one occurrence of a series.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.invitation is None) is (self.event is None) or (self.calendar is None) is not (self.event is None):
            msg = "give either calendar and event, or invitation"
            raise ValueError(msg)
        return self
