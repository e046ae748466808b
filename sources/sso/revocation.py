"""Which sessions leat can end: token revocation (RFC 7009) as the applications that the tokens were issued to."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from leat.sources.settings import Secret, Setting


class Application(BaseModel):
    """The credentials of an application."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    client_id: str = Field(min_length=1, description="The name by which the application signs in.")
    client_secret: Secret = Field(description="Its secret.")


class Revocation(BaseModel):
    """How to end sessions."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: Setting = Field(description="Address that revokes tokens, for example `https://host/oauth/revoke`.")
    applications: tuple[Application, ...] = Field(
        min_length=1, description="The applications whose sessions leat may end."
    )
