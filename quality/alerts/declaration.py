"""What is declared in ``quality/alerts.yaml``: channels, which problem goes to which of them, and when.

Mistakes are reported as in every declaration::

    quality/alerts.yaml:9: routes[0].serverity: unknown key; did you mean "severity"?
"""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from leat.pipelines.declare.values import Duration, Names, Zone
from leat.pipelines.load.results import Severity
from leat.sources.email.sending.addresses import Addresses
from leat.sources.errors import NotConfigured
from leat.sources.settings import Secret, read_secret

Kind = Literal["violation", "check", "run", "freshness", "publish", "drift"]
"""What is wrong: a rule has violations, a check of a table failed, a run failed, a table is too old, a new version is
withheld from readers, a stream has new fields or lost some."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _clock(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value // 60:02}:{value % 60:02}"  # YAML reads 20:00 without quotes as a number of base 60
    if not isinstance(value, str) or not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value):
        msg = f'{str(value)[:40]!r} is no time of day; write it as "09:00"'
        raise ValueError(msg)
    return time.fromisoformat(value)


Clock = Annotated[time, BeforeValidator(_clock, json_schema_input_type=str)]
Severities = Annotated[
    tuple[Severity, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]
Kinds = Annotated[tuple[Kind, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class Channel(_Model):
    """Where messages go."""

    url: Secret | None = Field(
        default=None, description="The Apprise URL, named: {env: NAME}, {file: path} or {secret: NAME}."
    )
    integration: str | None = Field(default=None, description="Instead of url, an e-mail integration to send by.")
    to: Addresses = Field(default=(), max_length=50, description="With integration: who gets the mails.")
    required: bool = Field(default=True, description="If false, a channel whose variable or secret isn't set is off.")
    evidence: bool = Field(default=True, description="Whether messages show rows; if false, only how many.")
    at_most_once: bool = Field(
        default=False, description="If true, a message that may have arrived isn't sent again, so that it may be lost."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) is (self.integration is None):
            msg = "give either url or integration"
            raise ValueError(msg)
        if bool(self.to) is not (self.integration is not None):
            msg = "to: give the recipients together with integration; a url has its own"
            raise ValueError(msg)
        return self

    @property
    def is_off(self) -> bool:
        """Whether nothing is sent here, for the variable or the secret isn't set and needn't be."""
        return not self.required and self.url is not None and self.url.file is None and not self.url.is_there()

    @property
    def variable(self) -> str:
        """The variable, the secret or the file that has the URL, or else the integration."""
        return self.integration or (self.url.name if self.url else "")

    def read_url(self, name: str, folder: Path) -> str:
        """Return the URL, and remember it and the secrets in it for :func:`leat.sources.settings.redact`.

        Raises:
            NotConfigured: the variable, the secret or the file isn't there.
        """
        if self.url is None:
            raise NotConfigured(name, "reading its URL", "it has none", "give the channel a url")
        return read_secret(self.url, f"alert channel {name}", folder)


class Escalation(_Model):
    """Who else is alerted if a problem is neither acknowledged nor fixed for a while."""

    after: Duration = Field(description="How long (ISO 8601), from when alerts noticed the problem.")
    to: Names = Field(min_length=1, description="Channels.")


class Route(_Model):
    """Which problems go where; every key that is given must match, and the first route that matches counts."""

    rule: Names = Field(default=(), description="Rules; * matches any characters.")
    integration: Names = Field(default=(), description="Integrations; one of those that the problem concerns.")
    owner: Names = Field(default=(), description="Owners of rules and models.")
    severity: Severities = Field(default=(), description="warn, error or both.")
    kind: Kinds = Field(default=(), description="violation, check, run, freshness, publish or drift.")
    channels: Names = Field(description="Channels; [] for none.")
    digest: bool = Field(default=True, description="If false, warnings don't wait for the digest.")
    escalate: Escalation | None = Field(default=None, description="Instead of the one for all.")


class Digest(_Model):
    """When warnings are sent, all in one message; errors never wait for it."""

    at: Clock = Field(description='Time of day, such as "09:00".')
    zone: Zone = Field(default="UTC", description="Time zone, such as Europe/Berlin.")


class QuietHours(_Model):
    """When nothing is sent; what comes meanwhile is sent after."""

    start: Clock = Field(description='From this time of day, such as "20:00".')
    end: Clock = Field(description='To this time of day, such as "07:00"; it may be that of the next day.')
    zone: Zone = Field(default="UTC", description="Time zone, such as Europe/Berlin.")
    unless: Severities = Field(default=(), description="Severities that are sent all the same.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.start == self.end:
            msg = "start and end are the same; leave quiet_hours out for none"
            raise ValueError(msg)
        return self


class Alerts(_Model):
    """The file as a whole."""

    channels: dict[str, Channel] = Field(min_length=1, description="Channels by name.")
    default: Names = Field(default=(), description="Channels of problems that no route matches.")
    routes: tuple[Route, ...] = Field(default=(), description="Which problems go where.")
    digest: Digest | None = Field(default=None, description="When warnings are sent; without it at once.")
    quiet_hours: QuietHours | None = Field(default=None, description="When nothing is sent.")
    escalate: Escalation | None = Field(default=None, description="Who else is alerted if a problem stays open.")
    remind: Duration | None = Field(default=None, description="Remind after this long; default never.")

    @field_validator("channels")
    @classmethod
    def _named(cls, value: dict[str, Channel]) -> dict[str, Channel]:
        for name in value:
            if not re.fullmatch("[a-z][a-z0-9_]{0,40}", name):
                msg = f"{name[:40]!r}: name a channel by lower-case letters, digits and _"
                raise ValueError(msg)
        return value
