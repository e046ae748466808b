"""The description of the API, OpenAPI 3.1: what FastAPI makes of the routes, with tokens and errors as they are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_ERROR = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "Stable name of what went wrong."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What went wrong with this request."},
        "next_step": {"type": "string", "description": "What to do."},
        "request_id": {"type": "string", "description": "It is in the log, too."},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"at": {"type": "string"}, "message": {"type": "string"}}},
        },
    },
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "With the same key, the same request is carried out once within 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def description_of(app: FastAPI) -> dict[str, Any]:
    """Return the description."""
    described = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = described.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    for made_by_fastapi in ("HTTPValidationError", "ValidationError"):
        schemas.pop(made_by_fastapi, None)
    schemas["Problem"] = _ERROR
    described["security"] = [{"token": []}]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in described["paths"].values():
        for method, operation in path.items():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "What went wrong.", "content": problem}
            _without_null(operation.get("requestBody", {}))
            if method == "post":
                operation.setdefault("parameters", []).append(_KEY)
    return described


def _without_null(body: dict[str, Any]) -> None:
    """Say of a body that may be missing that it isn't required; generators of clients would send null."""
    for content in body.get("content", {}).values():
        kinds = content["schema"].get("anyOf", [])
        if {"type": "null"} in kinds and len(kinds) == 2:
            content["schema"] = next(each for each in kinds if each != {"type": "null"})
