"""What is declared in ``automations/*.yaml``: when something is to be done, on what, and within which limits.

Mistakes are reported as in every declaration::

    automations/end_sessions.yaml:4: do[0].sso.end_sesion: sso has no verb 'end_sesion'; did you mean "end_session"?
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from leat.pipelines.declare.cron import is_cron
from leat.pipelines.declare.values import Duration, Flag, Names, Zone, time_zone
from leat.quality.alerts.declaration import Clock
from leat.security.principal import Role
from leat.sources.templates import is_template


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _quiet_zone(value: Any) -> Any:
    if value == "recipient":
        msg = 'name a column of the targets that has the zone: "{{ row.time_zone }}"'
        raise ValueError(msg)
    return value if is_template(value) else time_zone(value)


class When(_Model):
    """What starts an automation; exactly one of them."""

    violation_opened: str | None = Field(default=None, description="A rule: while it has open violations.")
    violation_resolved: str | None = Field(
        default=None, description="A rule: once a violation is resolved, counted from when the automation was enabled."
    )
    schedule: str | None = Field(default=None, description="A cron expression, such as 0 9 * * MON.")
    zone: Zone = Field(default="UTC", description="Time zone of the schedule, such as Europe/Berlin.")
    rows: Flag | None = Field(
        default=None, description="If true, each row of targets that comes after the automation was enabled."
    )

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None and not is_cron(value):
            msg = f'{value[:80]!r} is no cron expression; write "0 9 * * MON" for Mondays at nine'
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("violation_opened", "violation_resolved", "schedule") if getattr(self, name)]
        given += ["rows"] if self.rows else []
        if len(given) != 1:
            msg = "write one of violation_opened, violation_resolved, schedule and rows: true"
            raise ValueError(msg)
        return self

    @property
    def rule(self) -> str | None:
        """The rule whose violations start it."""
        return self.violation_opened or self.violation_resolved


class Approver(_Model):
    """Who approves."""

    role: Role = Field(description="A person with this role, or a higher one.")


class Approval(_Model):
    """When actions need no person, and who approves the others."""

    role: Role | None = Field(default=None, description="A person with this role, or a higher one, approves each.")
    auto: str | None = Field(
        default=None,
        description='What needs nobody: an expression over row and count, the targets that wait or are new: "count <= '
        '5", "row.amount < 10000".',
    )
    first_runs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="A person approves the actions of the first so many runs that plan something."
    )
    then: Literal["auto"] | None = Field(default=None, description="auto: those of later runs need nobody.")
    otherwise: Approver | None = Field(
        default=None, alias="else", description="Who approves the others; default: whoever may approve actions."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.auto, self.first_runs, self.role)) != 1:
            msg = 'write {auto: "count <= 5"}, or {first_runs: 10, then: auto}, or {role: operator}, or person'
            raise ValueError(msg)
        if self.role is not None and self.otherwise is not None:
            msg = 'else belongs to auto or first_runs: {auto: "count <= 5", else: {role: operator}}'
            raise ValueError(msg)
        if (self.first_runs is None) != (self.then is None):
            msg = "first_runs and then belong together: {first_runs: 10, then: auto}"
            raise ValueError(msg)
        return self

    @property
    def least(self) -> Role | None:
        """The role that whoever approves must have; None for any that may approve actions."""
        return self.role if self.otherwise is None else self.otherwise.role


class Limits(_Model):
    """How much an automation may do. If a limit is passed, the actions of the run are held for a person."""

    per_run: int = Field(default=50, ge=1, description="Targets that one run may act on.")
    per_day: int | None = Field(default=None, ge=1, description="Targets that may be acted on within 24 hours.")
    share_of_target: float | None = Field(
        default=None, gt=0, le=1, description="Share of the rows of the first table that the targets are read from."
    )
    stop_after_failures: int = Field(
        default=3, ge=1, description="Stop the automation after so many failures in a row; a person starts it again."
    )


class Quiet(_Model):
    """When nothing is sent; what comes meanwhile is sent after."""

    start: Clock = Field(description='From this time of day, such as "20:00".')
    end: Clock = Field(description='To this time of day, such as "08:00"; it may be that of the next day.')
    zone: Annotated[str, BeforeValidator(_quiet_zone)] = Field(
        default="UTC", description='Time zone, such as Europe/Berlin, or "{{ row.time_zone }}" for that of the target.'
    )

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.start == self.end:
            msg = "start and end are the same; leave quiet_hours out for none"
            raise ValueError(msg)
        return self


class Declared(_Model):
    """The file as a whole."""

    description: str = Field(min_length=1, description="What it does and why, in a sentence.")
    owner: str = Field(default="", description="Who looks after it.")
    when: When = Field(description="What starts it.")
    targets: str | None = Field(
        default=None,
        description="SQL, or the name of a .sql file next to this one; default: the evidence of the violations.",
    )
    group_by: str | None = Field(default=None, description="A column: one action for all rows with the same value.")
    key: Names = Field(
        default=(), description="Columns, or expressions, that identify a target; default: the key of the rule."
    )
    require_fresh: dict[str, Duration] = Field(
        default_factory=dict, description="Integration or integration.stream: how long ago it was read at most."
    )
    do: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] = Field(
        description="The steps, one after the other: - integration.verb: {parameter: value}."
    )
    recheck: Literal["live"] | None = Field(
        default=None, description="live: plan again just before sending, and don't send if the system has changed."
    )
    approve: Literal["person"] | Approval = Field(default="person", description="Who approves; money: always a person.")
    limits: Limits = Field(default_factory=Limits, description="How much it may do.")
    quiet_hours: Quiet | None = Field(default=None, description="When nothing is sent.")
    expire_after: Duration = Field(
        default=timedelta(days=7), description="How long an action waits for approval and sending."
    )
    on_unknown: Literal["search", "ask"] = Field(
        default="search",
        description="When it is unknown whether an action was sent: search, and send it if absent, or ask a person.",
    )
