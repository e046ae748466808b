"""The JSON Schema of ``automations/*.yaml``, from which editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

from leat.actions.automations.declaration import Declared
from leat.pipelines.declare.json_schema import without_titles


def automations_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12)."""
    whole: dict[str, Any] = without_titles(Declared.model_json_schema(mode="validation"))
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "An automation of a leat project", **whole}
