"""What is declared in ``quality/webhooks.yaml``: endpoints, their secrets, and which events they get."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.declared_file import read_declared
from leat.pipelines.declare.diagnostics import diagnostic_line, meant
from leat.pipelines.declare.json_schema import without_titles
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.values import Names
from leat.pipelines.declare.yaml_file import DeclarationError, Loc
from leat.pipelines.load.results import Severity
from leat.sources.settings import Secret

EventType = Literal[
    "violation.opened", "violation.resolved", "run.failed", "run.recovered", "load.applied", "action.changed"
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _several(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else [value]


class Endpoint(_Model):
    """Where webhooks are sent, and which."""

    url: Secret = Field(description="Its address, named: {env: NAME}, {file: path} or {secret: NAME}.")
    secrets: Annotated[tuple[Secret, ...], BeforeValidator(_several)] = Field(
        min_length=1,
        max_length=5,
        description="Secrets, whsec_… or whsk_…, that each message is signed with, named as url is.",
    )
    events: Annotated[tuple[EventType, ...], BeforeValidator(_several)] = Field(
        default=EVENT_TYPES, description="Types of events; all by default."
    )
    integration: Names = Field(default=(), description="Only events that concern one of these integrations.")
    rule: Names = Field(default=(), description="Of violations, only those of these rules; * matches any characters.")
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_several)] = Field(
        default=(), description="Of violations, only those of warn or error."
    )
    evidence: bool = Field(default=False, description="Whether violations come with their row.")
    allow_private: bool = Field(
        default=False, description="Whether the address may be on this machine or in a private network."
    )
    required: bool = Field(default=True, description="If false, an endpoint whose variable or secret isn't set is off.")

    @property
    def is_off(self) -> bool:
        """Whether nothing is sent here, for the variable or the secret isn't set and needn't be."""
        return not self.required and self.url.file is None and not self.url.is_there()


class Webhooks(_Model):
    """The file as a whole."""

    endpoints: dict[str, Endpoint] = Field(min_length=1, description="Endpoints by name.")

    @field_validator("endpoints")
    @classmethod
    def _named(cls, value: dict[str, Endpoint]) -> dict[str, Endpoint]:
        for name in value:
            if not re.fullmatch("[a-z][a-z0-9_]{0,40}", name):
                msg = f"{name[:40]!r}: name an endpoint by lower-case letters, digits and _"
                raise ValueError(msg)
        return value


def webhooks_path(project: Project) -> Path:
    """Return the file; it need not be there."""
    return project.folder / "quality" / "webhooks.yaml"


def load_webhooks(project: Project, declarations: Mapping[str, Declaration]) -> Webhooks | None:
    """Return what is declared; None when there is no such file.

    Raises:
        DeclarationError: with all mistakes in it.
    """
    path = webhooks_path(project)
    if not path.exists():
        return None
    shown = project.shown(path)
    file, webhooks = read_declared(path, shown, Webhooks, "endpoints")
    if mistakes := [diagnostic_line(file, shown, loc, text) for loc, text in _unknown(webhooks, declarations)]:
        raise DeclarationError(mistakes)
    return webhooks


def _unknown(webhooks: Webhooks, declarations: Mapping[str, Declaration]) -> Iterator[tuple[Loc, str]]:
    for name, endpoint in webhooks.endpoints.items():
        for each in endpoint.integration:
            if each not in declarations:
                text = f"there is no integration {each!r}{meant(each, declarations)}"
                yield ("endpoints", name, "integration"), text


def webhooks_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12), for editors."""
    whole: dict[str, Any] = without_titles(Webhooks.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Webhooks of a leat project", **whole}
