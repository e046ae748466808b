"""What the API answers of webhooks that leat sends; docs/webhooks.md has their meaning."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leat.serve.api.models import FromAttributes
from leat.serve.api.parameters import Moment


class Endpoint(FromAttributes):
    """An endpoint and how it is."""

    name: str
    state: Literal["on", "off", "paused", "disabled"]
    why: str | None = Field(description="Why it isn't on, or what failed last.")
    failures: int = Field(description="How many attempts have failed in a row.")
    paused_until: datetime | None = Field(description="When it is tried again; null if a person has paused it.")
    events: list[str]
    public_keys: list[str] = Field(description="What verifies signatures v1a of its messages: whpk_…")


class Delivery(FromAttributes):
    """A message to an endpoint."""

    id: str
    endpoint: str
    event_type: str
    status: Literal["waiting", "sending", "retrying", "sent", "failed"]
    created_at: datetime
    attempts: int
    ended_at: datetime | None
    error: str | None
    next_at: datetime | None = Field(description="When it is sent again; null unless it is retrying.")


class Attempt(FromAttributes):
    """One time that a message was sent."""

    sent_at: datetime
    ended_at: datetime | None
    accepted: bool | None = Field(description="Null while it is under way.")
    answer: str | None = Field(description="The status and the beginning of the body, or why no answer came.")


class DeliveryDetails(Delivery):
    """A message with its attempts; the body is null for who may not see personal data."""

    body: str | None
    log: list[Attempt] = Field(description="The attempts, also those before it was sent again; the first one first.")


class Replay(BaseModel):
    """Which deliveries to send again: all that are like each value that is given."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["failed", "sent"] | None = Field(default="failed", description="Null for both.")
    event_type: str | None = Field(default=None, max_length=200)
    since: Moment | None = Field(default=None, description="Only those of then or later.")
    until: Moment | None = Field(default=None, description="Only those before.")


class Replayed(BaseModel):
    """What is sent again, within seconds."""

    ids: list[str]


class EndpointTest(BaseModel):
    """What came of a test message."""

    accepted: bool
    error: str | None
