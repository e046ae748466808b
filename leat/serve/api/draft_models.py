"""What the API answers of drafts; docs/declarations.md has what a declaration may say."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from leat.serve.api.models import FromAttributes


class NewDraft(BaseModel):
    """A declaration that is to be tried."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=200, description="Of the integration; its file will be pipelines/NAME.yaml.")
    declaration: dict[str, Any] = Field(description="What the YAML file would say, as JSON.")


class Test(FromAttributes):
    """A setup test."""

    name: str
    ok: bool
    detail: str


class FirstRows(BaseModel):
    """The first rows of a stream, masked as a load would mask them."""

    stream: str
    read: str = Field(description="What was read, in words.")
    columns: list[str]
    rows: list[dict[str, Any]] = Field(description="Without columns that the caller may not see.")
    quarantined: dict[str, int] = Field(description="How many records would be quarantined, by reason.")
    error: str | None = Field(description="Why the stream can't be read, and what to do next.")
    notes: list[str]


class Draft(BaseModel):
    """A declaration that isn't a file yet, and what trying it has shown so far."""

    id: str
    name: str
    state: Literal["trying", "tried"]
    doing: str | None = Field(description="What is being done; null when that was all.")
    ok: bool | None = Field(description="Whether all tests passed; null while it is being tried.")
    tests: list[Test]
    streams: list[FirstRows] = Field(description="Filled by GET alone.")
    yaml: str = Field(description="The declaration as a file, with what leat proposes where it was left open.")


class Saved(BaseModel):
    """What was saved."""

    integration: str
    file: str
