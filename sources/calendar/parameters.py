"""The parameters of the verbs of calendars.

An event is named by its calendar and its UID; ``occurrence`` names one time of a series. Times without an offset are
on the wall clock: of ``zone`` where that is given, else of the event. Ends are exclusive, as in the streams.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from leat.sources.actions import Parameters
from leat.sources.calendar.parameter_values import (
    Address,
    Addresses,
    Minutes,
    Moment,
    Name,
    Names,
    Occurrence,
    Reminders,
    Text,
    Title,
    Zone,
)

CALENDAR = "Calendar: its path, the last part of it, or its name if no other has the same."
_STARTS = "When it starts: 2026-12-01T10:00, or 2026-12-01 for whole days."


class InCalendar(Parameters):
    """Names a calendar."""

    calendar: Name = Field(description=CALENDAR)


class OfEvent(InCalendar):
    """Names an event."""

    event: Name = Field(description="UID of the event or series.")


class OfOccurrence(OfEvent):
    """Names an event, a series or one occurrence."""

    occurrence: Occurrence = Field(
        default=None,
        description="Original start of one occurrence of a series, like occurrence_id or 2026-12-08T10:00 on the clock "
        "of the series; none for the whole.",
    )


class Times(InCalendar):
    """When an event is."""

    starts: Moment = Field(description=_STARTS)
    ends: Moment | None = Field(default=None, description="When it ends, exclusive; or give minutes.")
    minutes: Minutes | None = Field(default=None, description="How long it takes.")
    zone: Zone | None = Field(default=None, description="Time zone of the times, for example Europe/Berlin.")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        whole_days = not isinstance(self.starts, datetime)
        if self.ends is not None and self.minutes is not None:
            msg = "give either ends or minutes"
            raise ValueError(msg)
        if whole_days and (self.minutes is not None or self.zone is not None):
            msg = "starts: a date takes whole days, so give neither minutes nor zone"
            raise ValueError(msg)
        if self.ends is not None and whole_days is isinstance(self.ends, datetime):
            msg = "ends: give starts and ends both as dates or both as times"
            raise ValueError(msg)
        given = [each for each in (self.starts, self.ends) if isinstance(each, datetime)]
        if self.zone is not None and any(each.tzinfo is not None for each in given):
            msg = "zone: the times have an offset already; leave one of the two out"
            raise ValueError(msg)
        if len({each.tzinfo is None for each in given}) > 1:
            msg = "ends: write starts and ends both with an offset or both without"
            raise ValueError(msg)
        if self.ends is not None and self.ends <= self.starts:
            msg = "ends: it has to be after starts"
            raise ValueError(msg)
        return self


class CreateEvent(Times):
    """What to create."""

    summary: Title = Field(min_length=1, description="Title.")
    description: Text | None = Field(default=None, description="Text of the event.")
    location: Title | None = Field(default=None, description="Where it takes place.")
    organizer: Address | None = Field(default=None, description="Mail address of the organizer; needed with attendees.")
    attendees: Addresses = Field(
        default=(), max_length=500, description="Mail addresses of the attendees, separated by commas."
    )
    busy: bool = Field(default=True, description="Whether it blocks time.")
    reminder: Reminders = Field(
        default=(), max_length=10, description="Minutes before the start to remind, separated by commas."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if isinstance(self.starts, datetime):
            if self.ends is None and self.minutes is None:
                msg = "give ends or minutes"
                raise ValueError(msg)
            if self.zone is None and self.starts.tzinfo is None:
                msg = "zone: give the time zone of starts, for example Europe/Berlin"
                raise ValueError(msg)
        if self.attendees and self.organizer is None:
            msg = "organizer: an event with attendees has one (RFC 5546)"
            raise ValueError(msg)
        return self


class BookSlot(CreateEvent):
    """What to book."""

    also_free: Names = Field(
        default=(),
        max_length=50,
        description="Other calendars that have to be free then, separated by commas; nothing is written there.",
    )

    @model_validator(mode="after")
    def _blocks(self) -> Self:
        if not self.busy:
            msg = "busy: a booking blocks time"
            raise ValueError(msg)
        return self


class MoveEvent(Times, OfOccurrence):
    """What to move, and where to. Without `ends` and `minutes` it stays as long as it is."""


class UpdateEvent(OfOccurrence):
    """What to change; an empty text removes what is there."""

    summary: Title | None = Field(default=None, min_length=1, description="Title.")
    description: Text | None = Field(default=None, description="Text of the event.")
    location: Title | None = Field(default=None, description="Where it takes place.")
    status: Literal["CONFIRMED", "TENTATIVE"] | None = Field(default=None, description="How sure it is.")
    busy: bool | None = Field(default=None, description="Whether it blocks time.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in ("summary", "description", "location", "status", "busy")):
            msg = "give at least one of summary, description, location, status, busy"
            raise ValueError(msg)
        return self


class CancelEvent(OfOccurrence):
    """What to cancel."""


class DeleteEvent(OfEvent):
    """What to delete."""

    version: str | None = Field(default=None, max_length=1000, description="ETag that it must have; none for any.")


class RestoreEvent(OfEvent):
    """What to put back."""

    content: str = Field(min_length=1, max_length=1_000_000, description="The event as it was, in iCalendar.")
    version: str | None = Field(
        default=None, max_length=1000, description="ETag that the event must have now; none when it must not be there."
    )


class Respond(OfOccurrence):
    """What to answer."""

    answer: Literal["accepted", "declined", "tentative"] = Field(description="The answer.")
    attendee: Address | None = Field(
        default=None, description="Which of the account's addresses answers; needed when several are invited."
    )


class RecordReply(OfOccurrence):
    """Whose answer to record."""

    attendee: Address = Field(description="Mail address of the attendee.")
    answer: Literal["accepted", "declined", "tentative"] = Field(description="The answer.")
    sequence: int | None = Field(
        default=None, ge=0, description="Revision (SEQUENCE) that was answered; refused if the event has a later one."
    )


class Remind(OfOccurrence):
    """Which reminders to add and to remove."""

    minutes: Reminders = Field(
        default=(), max_length=10, description="Minutes before the start to remind, separated by commas."
    )
    remove: Reminders = Field(default=(), max_length=10, description="Reminders to remove, by their minutes.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.minutes and not self.remove:
            msg = "give minutes, remove, or both"
            raise ValueError(msg)
        if set(self.minutes) & set(self.remove):
            msg = "remove: the same reminder can't be added and removed"
            raise ValueError(msg)
        return self


class Unshare(InCalendar):
    """Whom to take a calendar from."""

    user: Name = Field(description="Login of the person.")


class Share(Unshare):
    """Whom to share a calendar with."""

    access: Literal["read", "write"] = Field(default="read", description="What they may do.")
