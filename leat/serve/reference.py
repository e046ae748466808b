"""``/docs/api``: the description of the API as a page, made on the server from what ``/v1/openapi.json`` answers.

It needs no script, so it holds to the content security policy of the other pages, prints, and works without network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from leat.runs.access import Resource
from leat.serve.api.guard import AsGuard
from leat.serve.pages.render import page
from leat.serve.pages.route import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Json = Mapping[str, Any]
_REF = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of a model.

    Attributes:
        name: its name.
        kind: its type in words, with ``{}`` where the name of the model goes.
        model: the model that it has, or a list of; empty for none.
        required: whether it has to be there.
        description: what it means.
    """

    name: str
    kind: str
    model: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    Attributes:
        id: its name.
        method: in capitals.
        path: with parameters in braces.
        text: what it does.
        parameters: of path, query and head.
        body: what is sent; None when nothing is.
        answers: by status; the errors of all operations are alike and left out.
    """

    id: str
    method: str
    path: str
    text: str
    parameters: list[Field]
    body: Field | None
    answers: list[Field]


@router.get("/docs/api")
def show_reference(guard: AsGuard, request: Request) -> Response:
    """Show all operations by their tags, and the models."""
    guard.require("read", Resource("overview"))
    described: Json = request.app.openapi()
    groups: dict[str, list[Operation]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(operation_of(path, method, operation))
    models = {name: list(_properties(model)) for name, model in described["components"]["schemas"].items()}
    texts = {name: model.get("description", "") for name, model in described["components"]["schemas"].items()}
    return page(request, "api.html", groups=groups, models=models, texts=texts, described=described)


def operation_of(path: str, method: str, operation: Json) -> Operation:
    """Return an operation of the description as the page shows it."""
    parameters = [
        _field(each["name"], each["schema"], required=each.get("required", False), text=each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody")
    sent = None if body is None else _of_content("body", body, required=body.get("required", False))
    answers = [_of_content(status, answer) for status, answer in operation["responses"].items() if status != "default"]
    name, text = operation["operationId"], operation["description"]
    return Operation(name, method.upper(), path, text, parameters, sent, answers)


def _of_content(name: str, value: Json, *, required: bool = True) -> Field:
    content: Json = value.get("content", {})
    text: str = value.get("description", "")
    schemas = [each["schema"] for each in content.values() if "$ref" in each.get("schema", {})]
    if schemas:
        return _field(name, schemas[0], required=required, text=text)
    return Field(name, ", ".join(content), "", required, text)


def _properties(model: Json) -> Iterator[Field]:
    needed = model.get("required", ())
    for name, schema in model.get("properties", {}).items():
        yield _field(name, schema, required=name in needed, text=schema.get("description", ""))


def _field(name: str, schema: Json, *, required: bool, text: str) -> Field:
    kind, model = _kind(schema)
    return Field(name, kind, model, required, text)


def _kind(schema: Json) -> tuple[str, str]:
    """Return a type in words, with ``{}`` where the name of a model goes, and the model."""
    if "$ref" in schema:
        return "{}", schema["$ref"].removeprefix(_REF)
    if "anyOf" in schema:
        kinds = [("null", "") if each.get("type") == "null" else _kind(each) for each in schema["anyOf"]]
        return " or ".join(kind for kind, _ in kinds), next((model for _, model in kinds if model), "")
    if schema.get("type") == "array":
        kind, model = _kind(schema.get("items", {}))
        return f"list of {kind}", model
    words = schema.get("type", "anything")
    words += f" ({schema['format']})" if "format" in schema else ""
    for low, high, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        if low in schema and high in schema:
            words += f", {schema[low]:,} to {schema[high]:,}{unit}"
        elif low in schema or high in schema:
            words += f", at {'least' if low in schema else 'most'} {schema.get(low, schema.get(high)):,}{unit}"
    return words, ""
