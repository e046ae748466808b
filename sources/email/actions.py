"""What can be done about e-mail: send a mail.

Every address is checked, and no parameter can add a header: line breaks are refused. A plan freezes the whole mail but
its Date, so what is approved is what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from leat.sources.actions import Parameters, Verb
from leat.sources.email.sending.addresses import Address, Addresses
from leat.sources.email.sending.moments import moment_of, zone_name


def _line(value: str) -> str:
    if any(not each.isprintable() for each in value):
        msg = "it has to be one line without control characters"
        raise ValueError(msg)
    return value.strip()


def _text(value: str) -> str:
    if any(not (each.isprintable() or each in "\n\r\t") for each in value):
        msg = "it holds control characters"
        raise ValueError(msg)
    return value


def _json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            msg = 'write it as a JSON object: {"name": "Ann"}'
            raise ValueError(msg) from None
    return value


def _several(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    return value


Line = Annotated[str, AfterValidator(_line), Field(min_length=1, max_length=500)]
Text = Annotated[str, AfterValidator(_text), Field(min_length=1, max_length=1_000_000)]
Files = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...], BeforeValidator(_several)]
Data = Annotated[Mapping[str, Any], BeforeValidator(_json)]


class Send(Parameters):
    """What to send, to whom, and when."""

    to: Addresses = Field(min_length=1, max_length=50, description="Mail addresses, separated by commas.")
    cc: Addresses = Field(default=(), max_length=50, description="Mail addresses that get a copy.")
    reply_to: Address | None = Field(default=None, description="Address that replies go to.")
    subject: Line | None = Field(default=None, description="Subject; a template has its own.")
    text: Text | None = Field(default=None, description="Text of the mail; or give template.")
    template: str | None = Field(
        default=None, max_length=200, description="Name of a template in the project's folder templates."
    )
    data: Data = Field(default={}, description="What the template is filled with, as a JSON object.")
    attachments: Files = Field(
        default=(), max_length=20, description="Files in the project folder to attach, separated by commas."
    )
    at: datetime | None = Field(
        default=None,
        description="When to send it, like 2026-12-01T09:00 with zone, or with an offset; none for at once.",
    )
    zone: Annotated[str, AfterValidator(zone_name)] | None = Field(
        default=None, description="Time zone of at, for example Europe/Berlin."
    )
    bulk: bool | None = Field(
        default=None,
        description="Whether it goes to many, so that recipients can unsubscribe; none for as the template.",
    )
    track_clicks: bool = Field(default=False, description="Whether its links lead over leat's server.")
    track_opens: bool = Field(default=False, description="Whether it has a picture that leat's server sees loaded.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.text is None) is (self.template is None):
            msg = "give either text or template"
            raise ValueError(msg)
        if self.text is not None and self.subject is None:
            msg = "subject: a mail without a template needs one"
            raise ValueError(msg)
        if self.template is None and self.data:
            msg = "data: only a template takes data"
            raise ValueError(msg)
        if self.template is None and (self.track_clicks or self.track_opens):
            msg = "track_clicks, track_opens: only a template has HTML to track"
            raise ValueError(msg)
        if self.at is None and self.zone is not None:
            msg = "zone: it is the zone of at, which isn't given"
            raise ValueError(msg)
        if self.at is not None:
            try:
                moment_of(self.at, self.zone)
            except ValueError as error:
                msg = f"at: {error}"
                raise ValueError(msg) from None
        return self


VERBS = (
    Verb(
        "send",
        "Send a mail, now or at a time.",
        Send,
        "probed",
        "an account of an SMTP server, and write access to the mailbox for sent mail",
        "Not once it is sent; cancel it before.",
        mails=True,
    ),
)
