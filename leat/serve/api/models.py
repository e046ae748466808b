"""What the API answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class FromAttributes(BaseModel):
    """A model that is read from an object with attributes of the same names."""

    model_config = ConfigDict(from_attributes=True)


class Me(FromAttributes):
    """Who asks."""

    id: str
    name: str
    role: str | None
    authenticated_by: str
    scopes: list[str] | None = Field(description="What a token is limited to; null for no limit.")


class Stream(FromAttributes):
    """A stream as readers see it."""

    stream: str
    rows: int | None
    last_load: datetime | None
    quarantined: int
    deletes: str
    fresh: str | None


class Integration(FromAttributes):
    """An integration: its last run, and its streams."""

    integration: str
    source: str
    schedule: str | None
    zone: str
    last_run: datetime | None
    last_status: str | None
    error: str | None
    streams: list[Stream]


class Counts(FromAttributes):
    """Rows that a run touched."""

    inserted: int
    updated: int
    deleted: int
    quarantined: int


class Run(FromAttributes):
    """A run of one integration."""

    id: str
    integration: str
    trigger: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    counts: Counts
    seconds: float | None
    error_type: str | None
    error: str | None
    dagster_run: str | None


class NewRun(BaseModel):
    """A run to ask for."""

    model_config = ConfigDict(extra="forbid")
    integrations: list[str] = Field(min_length=1, max_length=100, description="Names of integrations.")
    full_refresh: bool = Field(
        False, strict=True, description="Build all rows of all models, not only those that changed."
    )


class RequestedRun(FromAttributes):
    """A run that was asked for, of one or several integrations."""

    id: str
    integrations: list[str]
    requested_by: str
    requested_at: datetime
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    full_refresh: bool


class Violation(FromAttributes):
    """A violation; the evidence is null for who may not see personal data."""

    key: str
    rule: str
    title: str
    severity: str
    owner: str
    state: str
    evidence: dict[str, Any] | None
    first_seen_at: datetime
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    acknowledged_note: str | None
    next_step: str


class Acknowledgement(BaseModel):
    """Who looks after a violation, and until when there are no alerts."""

    model_config = ConfigDict(extra="forbid")
    until: datetime
    note: str = Field(default="", max_length=2000)


class Action(FromAttributes):
    """An action; parameters and plan are null for who may not see personal data."""

    id: str
    integration: str
    verb: str
    guarantee: str
    money: bool
    state: str
    reason: str | None
    title: str | None
    target: str | None
    parameters: dict[str, Any] | None
    plan: dict[str, Any] | None
    digest: str = Field(description="SHA-256 of all that would be sent; give it as If-Match to decide on this alone.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    expires_at: datetime
    attempts: int
    automation: str | None
    undo_of: str | None


class NewAction(BaseModel):
    """An action to plan."""

    model_config = ConfigDict(extra="forbid")
    integration: str = Field(min_length=1, max_length=200)
    verb: str = Field(min_length=1, max_length=200, description="GET /v1/verbs lists them.")
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)
    not_before: AwareDatetime | None = Field(default=None, description="When it is sent at the earliest, with zone.")


class ActionVerb(FromAttributes):
    """Something that leat can do on a system."""

    integration: str
    name: str
    description: str
    guarantee: str
    needs: str = Field(description="The permission that it needs, in the words of the system.")
    undo: str
    money: bool = Field(description="Whether it moves money, so that a second person has to approve it.")
    parameters: dict[str, Any] = Field(description="JSON Schema of its parameters.")


class Decision(BaseModel):
    """Why somebody decides as they do."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=2000)


class Automation(FromAttributes):
    """An automation and its mode."""

    name: str
    mode: str
    changed_by: str | None
    changed_at: datetime | None
    declared: dict[str, Any]


class Token(FromAttributes):
    """A token, without its secret."""

    id: str
    name: str
    owner_name: str
    role: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class NewToken(BaseModel):
    """A token to create."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    expires_at: datetime
    role: str | None = None
    scopes: list[str] = Field(default_factory=list, max_length=100)


class CreatedToken(BaseModel):
    """A token with its text, which can't be seen again."""

    token: str
    details: Token


class AuditEvent(FromAttributes):
    """An event of the audit log; seq is null until it is sealed."""

    seq: int | None
    at: datetime
    event: str
    by: str
    detail: dict[str, Any]


class Webhook(FromAttributes):
    """A webhook that arrived."""

    seq: int
    received_at: datetime
    endpoint: str
    event_id: str
    event_type: str | None
    body: str
    problem: str | None


class NewQuery(BaseModel):
    """A query to run."""

    model_config = ConfigDict(extra="forbid")
    sql: str = Field(min_length=1, max_length=100_000, description="One SELECT or EXPLAIN.")
    seconds: float = Field(default=30, gt=0, le=300, description="Seconds of work that it may take.")
    rows: int = Field(default=10_000, ge=1, le=1_000_000, description="Rows after which it is cut off.")
