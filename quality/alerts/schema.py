"""The JSON Schema of ``quality/alerts.yaml``, from which editors complete keys and mark mistakes."""

from __future__ import annotations

from typing import Any

from leat.pipelines.declare.json_schema import without_titles
from leat.quality.alerts.declaration import Alerts


def alerts_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12)."""
    whole: dict[str, Any] = without_titles(Alerts.model_json_schema(mode="validation"))
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "Alerts of a leat project", **whole}
