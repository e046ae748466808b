"""What a user declares of webhooks: how the system signs what it sends, and with which secrets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leat.pipelines.declare.values import Flag
from leat.sources.settings import Secret, Setting

Scheme = Literal["stripe", "github", "slack", "shopify", "twilio", "standard", "hmac"]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict | str) else value


class Hooks(BaseModel):
    """Webhooks that the system sends to ``/hooks/<name of the integration>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scheme: Scheme = Field(
        description="How the system signs: one of the vendors, `standard` for Standard Webhooks, `hmac` for others."
    )
    secrets: Annotated[
        tuple[Secret, ...], BeforeValidator(_as_list, json_schema_input_type=Secret | tuple[Secret, ...])
    ] = Field(min_length=1, description="The secrets that are valid; several while you rotate them.")
    refetch: Flag = Field(default=True, description="Whether an event starts a load of the integration.")
    url: Setting | None = Field(
        default=None, description="twilio: the address that Twilio calls; by default that of `leat serve --url`."
    )
    header: str | None = Field(default=None, description="hmac: the header with the signature.")
    prefix: str = Field(default="", description="hmac: what comes before the signature in the header.")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="hmac: how the signature is written.")
    algorithm: Literal["sha256", "sha512"] = Field(default="sha256", description="hmac: the hash.")
    id_header: str | None = Field(default=None, description="hmac: the header that identifies an event.")
    type_header: str | None = Field(default=None, description="hmac: the header with the type of an event.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        generic = {"header", "prefix", "encoding", "algorithm", "id_header", "type_header"} & self.model_fields_set
        if self.scheme == "hmac" and self.header is None:
            msg = "scheme hmac needs header: which header has the signature"
            raise ValueError(msg)
        if self.scheme != "hmac" and generic:
            msg = f"{', '.join(sorted(generic))}: only for scheme hmac"
            raise ValueError(msg)
        if self.scheme != "twilio" and self.url is not None:
            msg = "url: only for scheme twilio"
            raise ValueError(msg)
        return self
